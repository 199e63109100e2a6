//! The source of a token: the environment, a file that an agent rewrites, or a command.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::process::Command;

use super::Secret;
use crate::{
    child::{self, Ran},
    journal::clip,
};

/// Maximum size of a token: servers refuse heads of more than 8 or 16 KiB.
const TOKEN_BYTES_MAX: u64 = 16 * 1024;
/// Maximum duration of a command that supplies a token. It may have to ask another party.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);
/// Minimum time between two reads of a file or a command: not every refused request may start a command.
const FILE_AGAIN_AFTER: Duration = Duration::from_millis(250);
const COMMAND_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The source of a token.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// A token that does not change.
    Text(Secret),
    /// A file with the token.
    File(PathBuf),
    /// A shell command that writes the token to its standard output.
    Command(String),
}

impl fmt::Debug for TokenSource {
    /// Without the command: some have a password in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::File(_) => "File",
            Self::Command(_) => "Command",
        })
    }
}

/// A source has no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("S2_TOKEN_FILE names {path}: {source}; it should be a file with the token, and nothing else")]
    File {
        /// The file.
        path: String,
        /// The reason.
        source: io::Error,
    },
    /// The command did not end well.
    #[error(
        "the command of S2_TOKEN_COMMAND {0}; it should write the token to its standard output, and end with status 0"
    )]
    Command(String),
    /// The content of the source is no token.
    #[error("{variable} gives {what}; a token is one word of up to {TOKEN_BYTES_MAX} printable ASCII characters")]
    NoToken {
        /// The variable that names the source.
        variable: &'static str,
        /// Description of the content, which is not shown.
        what: &'static str,
    },
}

impl TokenSource {
    /// Minimum time between two reads of the source; none if its token does not change.
    pub(super) const fn again_after(&self) -> Option<Duration> {
        match self {
            Self::Text(_) => None,
            Self::File(_) => Some(FILE_AGAIN_AFTER),
            Self::Command(_) => Some(COMMAND_AGAIN_AFTER),
        }
    }

    /// The source, in the journal's words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Text(_) => "set, not shown".to_owned(),
            Self::File(path) => format!("in the file {}", path.display()),
            Self::Command(_) => "of a command, not shown".to_owned(),
        }
    }
}

pub(super) async fn read(source: &TokenSource) -> Result<Secret, TokenError> {
    match source {
        TokenSource::Text(secret) => Ok(secret.clone()),
        TokenSource::File(path) => read_token_file(path),
        TokenSource::Command(command) => token_of(&run(command).await?, "S2_TOKEN_COMMAND"),
    }
}

/// Reads the token in a file.
pub fn read_token_file(path: &Path) -> Result<Secret, TokenError> {
    let read = || {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(std::fs::File::open(path)?, TOKEN_BYTES_MAX + 1), &mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|source| TokenError::File { path: path.display().to_string(), source })?;
    token_of(&bytes, "S2_TOKEN_FILE")
}

/// The token in the content of a source, without blanks and line ends around it.
fn token_of(bytes: &[u8], variable: &'static str) -> Result<Secret, TokenError> {
    let none = |what| TokenError::NoToken { variable, what };
    let token = bytes.trim_ascii();
    if token.is_empty() {
        return Err(none("nothing"));
    }
    if bytes.len() as u64 > TOKEN_BYTES_MAX {
        return Err(none("more than that"));
    }
    match std::str::from_utf8(token) {
        Ok(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Secret::new(token)),
        _ => Err(none("several words, or other characters")),
    }
}

/// Runs the command and returns its standard output.
async fn run(command: &str) -> Result<Vec<u8>, TokenError> {
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut shell = Command::new(shell);
    shell.args([flag, command]);
    // A command with too long an output is cut off, and its status does not count. Its standard error may be long.
    let ran = child::run(shell, COMMAND_LIMIT, TOKEN_BYTES_MAX + 1, true).await;
    let Ran { ended, stdout, stderr } = ran.map_err(|e| TokenError::Command(format!("did not start: {e}")))?;
    let is_too_long = stdout.len() as u64 > TOKEN_BYTES_MAX;
    Err(TokenError::Command(match ended {
        Some(Ok(status)) if status.success() || is_too_long => return Ok(stdout),
        Some(Ok(status)) => {
            let why = clip(&String::from_utf8_lossy(stderr.trim_ascii()));
            let why = if why.is_empty() { "nothing" } else { &why };
            format!("ended with {status}, and said {why} on its standard error")
        }
        Some(Err(e)) => format!("failed: {e}"),
        None => format!("was not over within {} s, and was killed", COMMAND_LIMIT.as_secs()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(source: &TokenSource) -> Result<String, String> {
        read(source).await.map(|secret| secret.expose().to_owned()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_token_is_what_a_file_or_a_command_has_without_the_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, " sesame/4711\r\n").unwrap();
        let of_file = told(&TokenSource::File(path.clone())).await.unwrap();
        let of_command = told(&TokenSource::Command("printf 'sesame/%s\\n' 4711".into())).await.unwrap();
        assert_eq!(["sesame/4711"; 2], [&*of_file, &*of_command]);
        for (text, what) in [("", "gives nothing"), ("two words", "gives several words"), ("ä", "other characters")] {
            std::fs::write(&path, text).unwrap();
            let error = told(&TokenSource::File(path.clone())).await.unwrap_err();
            assert!(error.starts_with("S2_TOKEN_FILE") && error.contains(what), "{error}");
        }
        std::fs::write(&path, "x".repeat(20_000)).unwrap();
        let error = told(&TokenSource::File(path.clone())).await.unwrap_err();
        assert!(error.contains("more than that"), "{error}");
        let error = told(&TokenSource::File(folder.path().join("none"))).await.unwrap_err();
        assert!(error.contains("none: No such file"), "{error}");
    }

    #[tokio::test]
    async fn a_command_may_say_much_on_its_standard_error() {
        let source = TokenSource::Command("yes | head -c 500000 >&2 && echo sesame".into());
        assert_eq!("sesame", told(&source).await.unwrap());
    }

    #[tokio::test]
    async fn a_command_may_leave_a_daemon_behind_that_keeps_its_outputs() {
        let began = crate::clock::now();
        let source = TokenSource::Command("sleep 20 & echo sesame".into());
        assert_eq!("sesame", told(&source).await.unwrap());
        assert!(began.elapsed() < Duration::from_secs(15), "it was waited for the daemon");
    }

    #[tokio::test]
    async fn a_command_that_tells_no_token_is_an_error_with_what_it_said_and_is_not_shown_itself() {
        for (command, what) in [
            ("echo 'log in first' >&2; exit 3 # secret", "ended with exit status: 3, and said log in first"),
            ("true # secret", "S2_TOKEN_COMMAND gives nothing"),
            ("yes secret", "S2_TOKEN_COMMAND gives"),
        ] {
            let source = TokenSource::Command(command.into());
            let error = told(&source).await.unwrap_err();
            assert!(error.contains(what) && !error.contains("secret"), "{error}");
            assert!(!format!("{source:?}{}", source.describe()).contains("secret"));
        }
    }
}
