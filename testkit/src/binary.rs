//! The test binary, started again in another role.

use std::{
    ffi::OsString,
    io,
    path::Path,
    process::{Command, ExitCode},
};

use s2_harness::{
    runner::{self, Embedded, StartingGateway},
    session::Workers,
};

/// Set in the environment of a test binary that is to be the soak.
const PLAY_THE_SOAK: &str = "PLAY_THE_SOAK";
/// Variables of the caller that change a soak: settings, a CI job, a nextest run, a terminal.
const FOREIGN: [&str; 6] = ["S2_", "GITHUB_", "NEXTEST", "NO_COLOR", "CLICOLOR", "TERM"];

/// This test binary again, without the [variables](foreign_variables) of the caller that would change what is tested.
///
/// # Errors
///
/// The path of the binary is unknown.
pub fn own_binary() -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    remove_foreign_variables(&mut command);
    Ok(command)
}

/// The names of the variables that [`own_binary`] removes, for commands that are not [`Command`]s.
pub fn foreign_variables() -> impl Iterator<Item = OsString> {
    let is_foreign = |name: &OsString| name.to_str().is_some_and(|name| FOREIGN.iter().any(|p| name.starts_with(p)));
    std::env::vars_os().map(|(name, _)| name).filter(is_foreign)
}

/// Removes them, except for those that the command sets itself.
pub(crate) fn remove_foreign_variables(command: &mut Command) {
    for name in foreign_variables() {
        if !command.get_envs().any(|(set, value)| set == name && value.is_some()) {
            command.env_remove(name);
        }
    }
}

/// The environment variable, and its value, with which a binary that calls [`play_if_asked`] is the soak.
pub const AS_THE_SOAK: (&str, &str) = (PLAY_THE_SOAK, "1");

/// Runs the `main` of a soak if the environment asks for it; otherwise nothing. `tests/soak.toml` is the built-in
/// configuration, as in the user's binary.
pub fn play_if_asked(gateway: fn() -> StartingGateway, workers: Workers) -> Option<ExitCode> {
    let is_asked = std::env::vars_os().any(|(name, _)| name == PLAY_THE_SOAK);
    is_asked.then(|| runner::main(&Embedded { soak_toml: include_str!("../../tests/soak.toml"), gateway, workers }))
}

/// The embedded gateway of a binary whose soaks have another gateway, or none: it does not start.
#[must_use]
pub fn no_gateway() -> StartingGateway {
    Box::pin(async { Err("the soaks of this test binary have no embedded gateway".to_owned()) })
}

/// The command that judges a stored journal again by this binary. Its results go to the folder `out`.
///
/// # Errors
///
/// The path of the binary is unknown.
pub fn rejudge(journal: &Path, out: &Path) -> io::Result<Command> {
    let mut command = own_binary()?;
    command.envs([AS_THE_SOAK]).env("S2_OUT", out).env("S2_JOURNAL", journal);
    Ok(command)
}
