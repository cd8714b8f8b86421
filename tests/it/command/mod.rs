//! The program's commands, alone and beside a running server.

mod beside_a_server;
mod command_line;
mod doctor;
pub mod program;
mod progress;
