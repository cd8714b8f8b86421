//! A shell as the reader of a document has it: in a folder, with the program, and with the variables of earlier commands.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Makes `curl` fail on error statuses, and stops a server once it listens.
const PRELUDE: &str = r#"
curl() { command curl --fail-with-body --max-time 30 "$@"; }
sudo() { shift 2; "$@"; }
kaiwa() {
    if [ "$1" != serve ]; then command kaiwa "$@"; return; fi
    command kaiwa "$@" 2>served.log &
    until grep -q "listening on" served.log; do kill -0 $!; sleep 0.02; done
    kill -TERM $!; wait $!
}
"#;

/// A folder, and what differs in it from the documents.
pub struct Shell {
    pub folder: TempDir,
    variables: Vec<(String, String)>,
    replacements: Vec<(String, String)>,
    assignments: String,
}

impl Shell {
    /// A new folder with the built program.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for place in ["bin", "target/release"] {
            std::fs::create_dir_all(folder.path().join(place)).unwrap();
            let program = folder.path().join(place).join("kaiwa");
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kaiwa"), program).unwrap();
        }
        Self { folder, variables: Vec::new(), replacements: Vec::new(), assignments: String::new() }
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Sets an environment variable.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Replaces something that a document prints, such as a port or an id.
    pub fn replace(&mut self, printed: &str, here: &str) {
        self.replacements.push((printed.to_owned(), here.to_owned()));
    }

    /// Runs commands, which must all succeed, and returns their output.
    #[track_caller]
    pub fn run(&mut self, commands: &str) -> String {
        self.run_to(commands, 0)
    }

    /// The same for commands that exit with this code.
    #[track_caller]
    pub fn run_to(&mut self, commands: &str, code: i32) -> String {
        let output = self.command(commands).output().expect("there is a bash");
        let Output { status, stdout, stderr } = output;
        let [printed, complaints] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(status.code(), Some(code), "{commands}\n{printed}\n{complaints}");
        let assignments = commands.lines().filter(|line| is_assignment(line));
        self.assignments.extend(assignments.map(|line| format!("{line}\n")));
        printed
    }

    /// The shell that runs the commands.
    pub fn command(&self, commands: &str) -> Command {
        let printed = format!("{}{commands}", self.assignments);
        let replaced = self.replacements.iter();
        let replaced = replaced.fold(printed, |text, (printed, here)| text.replace(printed, here));
        self.bare(&format!("{PRELUDE}{replaced}"))
    }

    /// A program as it is printed, in place of the shell, so that it can be stopped.
    pub fn program(&self, command: &str) -> Command {
        self.bare(&format!("exec {command}"))
    }

    fn bare(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", script]).current_dir(self.folder.path()).env_clear();
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{}", self.path("bin").display(), inherited.display()));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

fn is_assignment(line: &str) -> bool {
    let name = line.split_once('=').map_or("", |(name, _)| name);
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_uppercase())
}

/// Moves a folder away, as before a restore.
pub fn move_away(folder: &Path) {
    std::fs::rename(folder, folder.with_extension("gone")).unwrap();
}
