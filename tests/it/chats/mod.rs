//! Conversations: their messages, their participants, and reading them.

mod inbound;
mod large_groups;
mod paging;
mod participants;
mod read_and_typing;
mod references;
