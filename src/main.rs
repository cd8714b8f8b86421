//! The `kaiwa` program.

fn main() {}
