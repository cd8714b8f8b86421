//! The `kaiwa` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    kaiwa::command::main()
}
