//! A redis-server of a test, and what it has stored.

use rustix::process::Signal;
pub(crate) use testkit::Keeps;

/// A Redis that ends when this is dropped.
pub(crate) struct RedisServer(testkit::RedisServer);

impl RedisServer {
    pub(crate) fn start(keeps: Keeps) -> Self {
        Self(testkit::RedisServer::start(keeps).unwrap())
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    /// Ends it, and waits for its end.
    pub(crate) fn end(&mut self, signal: Signal) {
        self.0.end(signal).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.0.signal(signal).unwrap();
    }

    /// Starts it again where it was, with what it has kept, and waits until it answers.
    pub(crate) fn start_again(&mut self) {
        self.0.start_again().unwrap();
    }

    pub(crate) fn query<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut command = redis::Cmd::new();
        words.iter().for_each(|word| _ = command.arg(*word));
        command.query(&mut client.get_connection().unwrap()).unwrap()
    }

    /// The ids of the events that it has, as they are on the wire.
    pub(crate) fn event_ids(&self) -> Vec<String> {
        let entries: Vec<(String, Vec<String>)> = self.query(&["XRANGE", "mock-gateway:events", "-", "+"]);
        let ids = entries.into_iter().map(|(id, _)| id.strip_suffix("-0").expect("an id of ours").to_owned());
        ids.map(|id| format!("{id:0>12}")).collect()
    }
}

/// A port that stays free while its server is away.
pub(crate) fn free_port() -> u16 {
    testkit::free_port().unwrap()
}
