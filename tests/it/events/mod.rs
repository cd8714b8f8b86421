//! The live feed of events.

mod feed;
mod feed_ends;
