//! The token that opens the gateway. When it expires, it is read again from a file or a command.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{task::JoinSet, time::Instant};
use tracing::instrument::WithSubscriber;

use super::{
    Secret,
    token_source::{TokenError, TokenSource, read},
};
use crate::clock;

/// Time before the expiry of a token at which it is read again.
const EXPIRES_SOON: Duration = Duration::from_secs(60);
/// Maximum number of earlier tokens to redact. Tokens that last five minutes are 24 in two hours.
const REMEMBERED_MAX: usize = 64;

/// The token that opens the gateway. Clones are the same token.
#[derive(Clone)]
pub struct Token(Arc<Inner>);

struct Inner {
    source: TokenSource,
    state: Mutex<TokenState>,
    /// Held while a task reads the source: the others wait for its result.
    reading: tokio::sync::Mutex<()>,
    /// Reads the source before the token expires.
    ahead: Mutex<JoinSet<()>>,
}

struct TokenState {
    current: Secret,
    /// Tokens before it, which a gateway may still repeat.
    earlier: VecDeque<Secret>,
    expires_at: Option<Timestamp>,
    read_at: Instant,
}

impl Token {
    /// The token that its source has now.
    pub(crate) async fn open(source: TokenSource) -> Result<Self, TokenError> {
        let current = read(&source).await?;
        Ok(Self::with(source, current))
    }

    /// A token that does not change.
    #[cfg(test)]
    pub(crate) fn fixed(secret: Secret) -> Self {
        Self::with(TokenSource::Text(secret.clone()), secret)
    }

    fn with(source: TokenSource, current: Secret) -> Self {
        let expires_at = expiry(&current);
        let state = Mutex::new(TokenState { current, earlier: VecDeque::new(), expires_at, read_at: clock::now() });
        Self(Arc::new(Inner { source, state, reading: tokio::sync::Mutex::default(), ahead: Mutex::default() }))
    }

    pub(crate) fn current(&self) -> Secret {
        self.0.state.lock().current.clone()
    }

    /// The token for the next request. A token that expires soon is read again meanwhile.
    pub(super) fn next(&self) -> Secret {
        let (current, is_due) = {
            let state = self.0.state.lock();
            let (now, soon) = (clock::wall_now(), EXPIRES_SOON.try_into().unwrap_or_default());
            let expires_soon = state.expires_at.is_some_and(|at| at.duration_since(now) < soon);
            (state.current.clone(), expires_soon && self.may_be_read_again(&state))
        };
        if is_due && self.0.reading.try_lock().is_ok() {
            let (token, used) = (self.clone(), current.clone());
            let mut ahead = self.0.ahead.lock();
            while ahead.try_join_next().is_some() {}
            let reading = async move { drop(token.after_refusal(&used).await) };
            ahead.spawn(reading.with_current_subscriber());
        }
        current
    }

    /// The token to send instead of a refused one, if there is another.
    pub(super) async fn after_refusal(&self, refused: &Secret) -> Option<Secret> {
        self.0.source.again_after()?;
        let _reading = self.0.reading.lock().await;
        {
            let state = self.0.state.lock();
            if state.current != *refused {
                return Some(state.current.clone());
            }
            if !self.may_be_read_again(&state) {
                return None;
            }
        }
        // Logged without the lock: the log takes it to redact what is logged.
        let taken = self.take_in(read(&self.0.source).await);
        match &taken {
            Ok(Some(_)) => tracing::info!("the token was read again, and is another"),
            Ok(None) => {}
            Err(error) => tracing::error!("the token was refused or expires soon, and there is no other: {error}"),
        }
        taken.ok().flatten()
    }

    /// Takes in the token from the source. Returns it if it is another.
    fn take_in(&self, read: Result<Secret, TokenError>) -> Result<Option<Secret>, TokenError> {
        let mut state = self.0.state.lock();
        state.read_at = clock::now();
        let new = read?;
        if new == state.current {
            return Ok(None);
        }
        state.expires_at = expiry(&new);
        let old = std::mem::replace(&mut state.current, new.clone());
        state.earlier.push_back(old);
        if state.earlier.len() > REMEMBERED_MAX {
            state.earlier.pop_front();
        }
        Ok(Some(new))
    }

    /// A text without this token and earlier ones; none if it contains none.
    pub(crate) fn redact(&self, text: &str) -> Option<String> {
        let state = self.0.state.lock();
        let secrets = state.earlier.iter().chain([&state.current]);
        secrets.fold(None, |redacted, secret| secret.redact(redacted.as_deref().unwrap_or(text)).or(redacted))
    }

    pub(crate) fn hide(&self, text: String) -> String {
        self.redact(&text).unwrap_or(text)
    }

    fn may_be_read_again(&self, state: &TokenState) -> bool {
        let since = clock::now().saturating_duration_since(state.read_at);
        self.0.source.again_after().is_some_and(|wait| since >= wait)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The expiry that a JSON Web Token names (RFC 7519, section 4.1.4); none for other tokens.
fn expiry(secret: &Secret) -> Option<Timestamp> {
    let claims = secret.expose().split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Timestamp::from_second(claims.get("exp")?.as_f64()? as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than a file is left alone after it was read.
    const AGAIN_AFTER: Duration = Duration::from_secs(1);

    fn jwt(expires_at_s: i64) -> String {
        let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{expires_at_s}}}"#));
        format!("e30.{claims}.c2lnbmF0dXJl")
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
        tokio::time::advance(AGAIN_AFTER).await;
        let second = token.after_refusal(&first).await.unwrap();
        assert_eq!(("second-token", second.clone()), (second.expose(), token.current()));
        // Who was refused with the first meanwhile needs no other reading.
        assert_eq!(Some(second.clone()), token.after_refusal(&first).await);
        tokio::time::advance(AGAIN_AFTER).await;
        assert_eq!(None, token.after_refusal(&second).await, "the file has no other");
        assert_eq!(Some("*** and ***"), token.redact("first-token and second-token").as_deref());
        assert_eq!(None, token.redact("third-token"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fixed_token_is_not_read_again() {
        let token = Token::fixed(Secret::new("sesame"));
        tokio::time::advance(AGAIN_AFTER).await;
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
        token.0.state.lock().read_at -= AGAIN_AFTER;
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
