//! The log: `[time] [LEVEL] [T+45m] text`, in a file that is rotated.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, OnceLock},
};

use file_rotate::{ContentLimit, FileRotate, compression::Compression, suffix::AppendCount};
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::{
    clock::{Clock, wall_now},
    gateway::Token,
    journal::one_line,
};

/// The target of signs of life; they are logged with a level of their own.
pub const HEARTBEAT_TARGET: &str = "s2::heartbeat";
/// The same for errors that stop a session.
pub const FATAL_TARGET: &str = "s2::fatal";

/// Maximum size of a log file.
const FILE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Older log files that are kept, numbered from `.1`, the newest.
const OLDER_FILES_MAX: usize = 5;
/// Log filter that applies if `S2_LOG` does not give one.
const DEFAULT_FILTER: &str = "info";

/// A log into a file. The clock is set when the scenario begins.
pub(super) fn open(path: &Path, filter: Option<&str>, clock: Arc<OnceLock<Clock>>, token: Option<Token>) -> Dispatch {
    let (older, limit) = (AppendCount::new(OLDER_FILES_MAX), ContentLimit::BytesSurpassed(FILE_BYTES_MAX));
    let file = FileRotate::new(path, older, limit, Compression::None, None);
    let filter = filter.and_then(|filter| EnvFilter::try_new(filter).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(DEFAULT_FILTER));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .event_format(LogLine { clock, token })
        .with_writer(Mutex::new(file))
        .finish();
    Dispatch::new(subscriber)
}

struct LogLine {
    clock: Arc<OnceLock<Clock>>,
    /// The token, which is kept out of all lines.
    token: Option<Token>,
}

impl<S, N> FormatEvent<S, N> for LogLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = match (event.metadata().target(), *event.metadata().level()) {
            (HEARTBEAT_TARGET, _) => "HEARTBEAT",
            (FATAL_TARGET, _) => "FATAL",
            (_, Level::ERROR | Level::WARN) => "ERROR",
            (_, Level::INFO) => "INFO",
            (_, Level::DEBUG | Level::TRACE) => "DEBUG",
        };
        let minute = self.clock.get().map_or(0, |clock| clock.now_ms() / 60_000);
        write!(writer, "[{}] [{level}] [T+{minute}m] ", wall_now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))?;
        let mut said = String::new();
        context.field_format().format_fields(Writer::new(&mut said), event)?;
        let said = self.token.as_ref().and_then(|token| token.redact(&said)).unwrap_or(said);
        // Run ids and agents' names come from a gateway, too: every entry is one line without control characters.
        writeln!(writer, "{}", one_line(&said))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracing::instrument::WithSubscriber;
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

    use super::*;
    use crate::gateway::{Client, GatewayAccess, TokenSource};

    #[tokio::test]
    async fn a_token_that_is_read_again_is_logged_and_in_no_line() {
        let gateway = MockServer::start().await;
        let refusal = ResponseTemplate::new(401);
        Mock::given(matchers::any()).respond_with(refusal).mount(&gateway).await;
        let folder = tempfile::tempdir().unwrap();
        let (file, path) = (folder.path().join("token"), folder.path().join("s2.log"));
        std::fs::write(&file, "first-token").unwrap();
        let token = Token::open(TokenSource::File(file.clone())).await.unwrap();
        let dispatch = open(&path, None, Arc::default(), Some(token.clone()));
        let access = GatewayAccess { token: Some(token), ..GatewayAccess::of_test(gateway.uri()) };
        let client = Client::new(&access).unwrap();
        let asked = async {
            for text in ["second-token", "two words"] {
                std::fs::write(&file, text).unwrap();
                // Longer than a file is left alone after it was read.
                tokio::time::sleep(Duration::from_millis(300)).await;
                client.agent("a").await.unwrap();
            }
            tracing::info!("first-token and second-token");
        };
        let asked = asked.with_subscriber(dispatch);
        tokio::time::timeout(Duration::from_secs(30), asked).await.expect("the log takes no lock that is held");
        let log = std::fs::read_to_string(&path).unwrap();
        for line in ["[INFO] [T+0m] the token was read again", "[ERROR] [T+0m] the token was refused", "*** and ***"] {
            assert!(log.contains(line), "{line}\n{log}");
        }
        assert!(!log.contains("first-token") && !log.contains("second-token"), "{log}");
    }
}
