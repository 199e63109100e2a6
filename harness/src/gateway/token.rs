//! What opens the gateway, and how it is read again when it expires: from a file that an agent rewrites, or from a command.

use std::{
    collections::VecDeque,
    fmt, io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    task::JoinSet,
    time::Instant,
};

use super::Secret;
use crate::{clock, journal::clip};

/// No token is longer: servers refuse heads of more than 8 or 16 KiB.
const TOKEN_BYTES_MAX: u64 = 16 * 1024;
/// How long a command may take that tells a token: it may have to ask somebody.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);
/// A source that had nothing new is asked again no sooner: a gateway that refuses every request must not start a command
/// for each.
const FILE_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// The same of a command.
const COMMAND_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// A token that says when it expires is read again so long before.
const EXPIRES_SOON: Duration = Duration::from_secs(60);
/// So many tokens are remembered, to be kept out of what is recorded. One that lasts five minutes is the 24th of two hours.
const REMEMBERED_MAX: usize = 64;

/// Where a token comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// It is this one, as long as the soak lasts.
    Text(Secret),
    /// The file has it.
    File(PathBuf),
    /// The command, a shell's, writes it to its standard output.
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

/// A source tells no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("S2_TOKEN_FILE names {path}: {source}; it should be a file with the token, and nothing else")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The command did not end well.
    #[error(
        "the command of S2_TOKEN_COMMAND {0}; it should write the token to its standard output, and end with status 0"
    )]
    Command(String),
    /// What was read is no token.
    #[error("{variable} gives {what}; a token is one word of up to {TOKEN_BYTES_MAX} printable ASCII characters")]
    NoToken {
        /// Which variable names the source.
        variable: &'static str,
        /// What there is instead. It is not shown.
        what: &'static str,
    },
}

/// The token that opens the gateway. Clones are the same token.
#[derive(Clone)]
pub struct Token(Arc<Inner>);

struct Inner {
    source: TokenSource,
    state: Mutex<State>,
    /// Held by who reads the source: the others wait for what comes of that.
    reading: tokio::sync::Mutex<()>,
    /// Reads the source before the token expires.
    ahead: Mutex<JoinSet<()>>,
}

struct State {
    current: Secret,
    /// Those before it. A gateway may still repeat them.
    earlier: VecDeque<Secret>,
    expires_at: Option<Timestamp>,
    /// When the source was last read.
    read_at: Instant,
}

impl Token {
    /// The token that its source has now.
    ///
    /// # Errors
    /// Where the source has none.
    pub async fn open(source: TokenSource) -> Result<Self, TokenError> {
        let current = read(&source).await?;
        Ok(Self::with(source, current))
    }

    /// A token that does not change.
    #[must_use]
    pub fn fixed(secret: Secret) -> Self {
        Self::with(TokenSource::Text(secret.clone()), secret)
    }

    fn with(source: TokenSource, current: Secret) -> Self {
        let expires_at = expiry(&current);
        let state = State { current, earlier: VecDeque::new(), expires_at, read_at: clock::now() };
        Self(Arc::new(Inner {
            source,
            state: Mutex::new(state),
            reading: tokio::sync::Mutex::default(),
            ahead: Mutex::default(),
        }))
    }

    /// The token as it is now.
    #[must_use]
    pub fn current(&self) -> Secret {
        self.lock().current.clone()
    }

    /// The token for the next request. One that says that it expires soon is read again meanwhile.
    pub(super) fn next(&self) -> Secret {
        let is_due = {
            let state = self.lock();
            let now = clock::wall_now();
            let soon = EXPIRES_SOON.try_into().unwrap_or_default();
            let expires_soon = state.expires_at.is_some_and(|at| at.duration_since(now) < soon);
            expires_soon && self.may_be_read_again(&state)
        };
        let current = self.current();
        if is_due && self.0.reading.try_lock().is_ok() {
            let (token, used) = (self.clone(), current.clone());
            let mut ahead = self.0.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            while ahead.try_join_next().is_some() {}
            ahead.spawn(async move { drop(token.after_refusal(&used).await) });
        }
        current
    }

    /// What to send instead of a token that was refused; none where there is no other.
    pub(super) async fn after_refusal(&self, refused: &Secret) -> Option<Secret> {
        self.0.source.again_after()?;
        let _reading = self.0.reading.lock().await;
        {
            let state = self.lock();
            if state.current != *refused {
                return Some(state.current.clone());
            }
            if !self.may_be_read_again(&state) {
                return None;
            }
        }
        let read = read(&self.0.source).await;
        let mut state = self.lock();
        state.read_at = clock::now();
        match read {
            Ok(new) if new != state.current => {
                state.expires_at = expiry(&new);
                let old = std::mem::replace(&mut state.current, new.clone());
                state.earlier.push_back(old);
                if state.earlier.len() > REMEMBERED_MAX {
                    state.earlier.pop_front();
                }
                tracing::info!("the token was read again, and is another");
                Some(new)
            }
            Ok(_) => None,
            Err(error) => {
                tracing::error!("the token was refused or expires soon, and there is no other: {error}");
                None
            }
        }
    }

    /// A text without this token or an earlier one in it; none where it has none.
    #[must_use]
    pub fn redact(&self, text: &str) -> Option<String> {
        let state = self.lock();
        let mut redacted = None;
        for secret in state.earlier.iter().chain([&state.current]) {
            let now = secret.redact(redacted.as_deref().unwrap_or(text));
            redacted = now.or(redacted);
        }
        redacted
    }

    /// A text without the token in it.
    #[must_use]
    pub fn hide(&self, text: String) -> String {
        self.redact(&text).unwrap_or(text)
    }

    fn may_be_read_again(&self, state: &State) -> bool {
        let since = clock::now().saturating_duration_since(state.read_at);
        self.0.source.again_after().is_some_and(|wait| since >= wait)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl TokenSource {
    /// How long after it was read it may be read again; none where it never tells another token.
    const fn again_after(&self) -> Option<Duration> {
        match self {
            Self::Text(_) => None,
            Self::File(_) => Some(FILE_AGAIN_AFTER),
            Self::Command(_) => Some(COMMAND_AGAIN_AFTER),
        }
    }

    /// Where it comes from, as the journal says it.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Text(_) => "set, not shown".to_owned(),
            Self::File(path) => format!("in the file {}", path.display()),
            Self::Command(_) => "of a command, not shown".to_owned(),
        }
    }
}

async fn read(source: &TokenSource) -> Result<Secret, TokenError> {
    match source {
        TokenSource::Text(secret) => Ok(secret.clone()),
        TokenSource::File(path) => read_token_file(path),
        TokenSource::Command(command) => token_of(&run(command).await?, "S2_TOKEN_COMMAND"),
    }
}

/// The token in a file.
///
/// # Errors
/// Where there is none.
pub fn read_token_file(path: &Path) -> Result<Secret, TokenError> {
    let read = || {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(std::fs::File::open(path)?, TOKEN_BYTES_MAX + 1), &mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|source| TokenError::File { path: path.display().to_string(), source })?;
    token_of(&bytes, "S2_TOKEN_FILE")
}

/// The token among what was read: blanks and line ends around it are no part of it.
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

/// What the command wrote.
async fn run(command: &str) -> Result<Vec<u8>, TokenError> {
    let failed = |what: String| TokenError::Command(what);
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut child = Command::new(shell)
        .args([flag, command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| failed(format!("did not start: {e}")))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut said = (Vec::new(), Vec::new());
    let ended = async {
        tokio::join!(start_of(stdout, &mut said.0), start_of(stderr, &mut said.1));
        // Who says more than that is not waited for.
        if said.0.len() as u64 > TOKEN_BYTES_MAX { Ok(None) } else { child.wait().await.map(Some) }
    };
    let ended = tokio::time::timeout(COMMAND_LIMIT, ended).await;
    match ended {
        Ok(Ok(None)) => Ok(said.0),
        Ok(Ok(Some(status))) if status.success() => Ok(said.0),
        Ok(Ok(Some(status))) => {
            let why = clip(&String::from_utf8_lossy(said.1.trim_ascii()));
            let why = if why.is_empty() { "nothing".to_owned() } else { why };
            Err(failed(format!("ended with {status}, and said {why} on its standard error")))
        }
        Ok(Err(e)) => Err(failed(format!("failed: {e}"))),
        Err(_) => Err(failed(format!("was not over within {} s, and was killed", COMMAND_LIMIT.as_secs()))),
    }
}

/// Reads the start of an output: a token and a byte more, if there is one.
async fn start_of(output: Option<impl AsyncRead + Unpin>, said: &mut Vec<u8>) {
    if let Some(output) = output {
        // An output that breaks off has said what it said.
        let _ = output.take(TOKEN_BYTES_MAX + 1).read_to_end(said).await;
    }
}

/// When a JSON Web Token says that it expires (RFC 7519, section 4.1.4); none where it is no such token.
fn expiry(secret: &Secret) -> Option<Timestamp> {
    let claims = secret.expose().split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Timestamp::from_second(claims.get("exp")?.as_f64()? as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(expires_at_s: i64) -> String {
        let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{expires_at_s}}}"#));
        format!("e30.{claims}.c2lnbmF0dXJl")
    }

    #[tokio::test]
    async fn a_token_is_what_a_file_or_a_command_has_without_the_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, " sesame/4711\r\n").unwrap();
        let of_file = Token::open(TokenSource::File(path.clone())).await.unwrap();
        let of_command = Token::open(TokenSource::Command("printf 'sesame/%s\\n' 4711".into())).await.unwrap();
        assert_eq!(["sesame/4711"; 2], [of_file.current().expose(), of_command.current().expose()]);
        for (text, what) in [("", "gives nothing"), ("two words", "gives several words"), ("ä", "other characters")] {
            std::fs::write(&path, text).unwrap();
            let error = Token::open(TokenSource::File(path.clone())).await.unwrap_err().to_string();
            assert!(error.starts_with("S2_TOKEN_FILE") && error.contains(what), "{error}");
        }
        std::fs::write(&path, "x".repeat(20_000)).unwrap();
        let error = Token::open(TokenSource::File(path.clone())).await.unwrap_err().to_string();
        assert!(error.contains("more than that"), "{error}");
        let error = Token::open(TokenSource::File(folder.path().join("none"))).await.unwrap_err().to_string();
        assert!(error.contains("none: No such file"), "{error}");
    }

    #[tokio::test]
    async fn a_command_that_tells_no_token_is_an_error_with_what_it_said_and_is_not_shown_itself() {
        for (command, what) in [
            ("echo 'log in first' >&2; exit 3 # secret", "ended with exit status: 3, and said log in first"),
            ("true # secret", "S2_TOKEN_COMMAND gives nothing"),
            ("yes secret", "S2_TOKEN_COMMAND gives"),
        ] {
            let source = TokenSource::Command(command.into());
            let error = Token::open(source.clone()).await.unwrap_err().to_string();
            assert!(error.contains(what) && !error.contains("secret"), "{error}");
            assert!(!format!("{source:?}{}", source.shown()).contains("secret"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_is_read_again_and_earlier_ones_stay_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "first-token").unwrap();
        let token = Token::open(TokenSource::File(path.clone())).await.unwrap();
        let first = token.current();
        std::fs::write(&path, "second-token").unwrap();
        assert_eq!(None, token.after_refusal(&first).await, "it was read just now");
        tokio::time::advance(FILE_AGAIN_AFTER).await;
        let second = token.after_refusal(&first).await.unwrap();
        assert_eq!(("second-token", second.clone()), (second.expose(), token.current()));
        // Who was refused with the first meanwhile needs no other reading.
        assert_eq!(Some(second.clone()), token.after_refusal(&first).await);
        tokio::time::advance(FILE_AGAIN_AFTER).await;
        assert_eq!(None, token.after_refusal(&second).await, "the file has no other");
        assert_eq!(Some("*** and ***"), token.redact("first-token and second-token").as_deref());
        assert_eq!(None, token.redact("third-token"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fixed_token_is_not_read_again() {
        let token = Token::fixed(Secret::new("sesame"));
        tokio::time::advance(FILE_AGAIN_AFTER).await;
        assert_eq!(None, token.after_refusal(&Secret::new("sesame")).await);
    }

    #[tokio::test]
    async fn a_token_that_says_when_it_expires_is_read_again_before() {
        let now = clock::wall_now().as_second();
        assert_eq!(Some(now + 30), expiry(&Secret::new(jwt(now + 30))).map(Timestamp::as_second));
        for opaque in ["sesame", "a.b.c", "a.e30.c"] {
            assert_eq!(None, expiry(&Secret::new(opaque)));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, jwt(now + 30)).unwrap();
        let token = Token::open(TokenSource::File(path.clone())).await.unwrap();
        std::fs::write(&path, jwt(now + 3_600)).unwrap();
        token.lock().read_at -= FILE_AGAIN_AFTER;
        assert_eq!(jwt(now + 30), token.next().expose(), "it is valid still");
        let read = async {
            while token.current().expose() != jwt(now + 3_600) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), read).await.unwrap();
        assert_eq!(None, token.redact(&jwt(now)));
    }
}
