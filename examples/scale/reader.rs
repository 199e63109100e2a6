//! The least that a client of streams can do: it opens them, reads what comes, and counts the ends of events. One thread, one buffer,
//! `epoll`.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::TcpStream,
    os::fd::AsRawFd,
    time::Duration,
};

use rustix::event::epoll;
use s2_harness::clock;
use testkit::AnyError;

/// Streams that are opened before the next look at what came.
const OPENED_AT_ONCE: usize = 50;

/// Reads until it is killed. Once a second it writes a line: how many events it has read so far.
pub(crate) fn run(url: &str, streams: &str) -> Result<(), AnyError> {
    let authority = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let streams: usize = streams.parse()?;
    let request = format!(
        "GET /api/runs/logs/stream HTTP/1.1\r\nhost: {authority}\r\nx-workspace-id: s2-soak\r\naccept: text/event-stream\r\n\r\n"
    );
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut connections = BTreeMap::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut events = 0_u64;
    let mut ready = Vec::with_capacity(1_024);
    let mut reported = clock::now();
    loop {
        for _ in 0..OPENED_AT_ONCE.min(streams - connections.len()) {
            let mut connection = TcpStream::connect(&authority)?;
            connection.write_all(request.as_bytes())?;
            connection.set_nonblocking(true)?;
            let key = u64::try_from(connection.as_raw_fd())?;
            epoll::add(&poll, &connection, epoll::EventData::new_u64(key), epoll::EventFlags::IN)?;
            connections.insert(key, connection);
        }
        let wait = if connections.len() < streams { Duration::from_millis(10) } else { Duration::from_millis(500) };
        ready.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut ready), Some(&wait.try_into()?))?;
        for event in &ready {
            let Some(connection) = connections.get_mut(&event.data.u64()) else { continue };
            match connection.read(&mut buffer) {
                Ok(0) => return Err("the gateway closed a stream of the reader".into()),
                Ok(read) => events += memchr::memmem::find_iter(&buffer[..read], "\ndata:").count() as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        if reported.elapsed() >= Duration::from_secs(1) {
            reported = clock::now();
            println!("{events}");
        }
    }
}
