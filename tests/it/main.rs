//! The server as its users meet it: over HTTP, on a free port, with a database of its own.
