//! What a proxy does: to connections that are open, and to those that come.

use std::{num::NonZeroU64, time::Duration};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    Darkness, Fault, LINE_BYTES_MAX,
    scene::{
        Scene, expect, expect_end, expect_nothing, expect_reset, kernel_buffers_max, reset, soon, write_until_stuck,
    },
};
use crate::clock;

const AN_HOUR_MS: u64 = 3_600_000;

fn latency(delay_ms: u64) -> Fault {
    Fault::Latency { delay_ms, jitter_ms: 0 }
}

fn dark(manner: Darkness) -> Fault {
    Fault::Dark { manner, lasts_ms: None }
}

fn bandwidth(bytes_per_second: u64) -> Fault {
    Fault::Bandwidth { bytes_per_second: NonZeroU64::new(bytes_per_second).unwrap() }
}

#[tokio::test]
async fn a_latency_set_on_an_open_connection_delays_each_answer_by_so_much_until_it_is_cleared() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    pair.ask("before").await;
    pair.answer("before").await;
    assert_eq!(scene.proxy.counters().bytes_delayed, 0);

    scene.proxy.set(latency(150));
    for _ in 0..3 {
        pair.ask("ping").await;
        let asked = clock::now();
        pair.answer("pong").await;
        let took = clock::now() - asked;
        assert!(took >= Duration::from_millis(150), "{took:?}");
    }
    scene.proxy.clear();
    pair.answer("after").await;
    let counters = scene.proxy.counters();
    assert_eq!((counters.bytes_delayed, counters.bytes_to_clients), (3 * 4, 6 + 3 * 4 + 5));
}

#[tokio::test]
async fn requests_are_not_delayed() {
    let scene = Scene::new().await;
    scene.proxy.set(latency(AN_HOUR_MS));
    let mut pair = scene.pair().await;
    pair.ask("now").await;
    pair.client.shutdown().await.unwrap();
    expect_end(&mut pair.upstream).await;
}

#[tokio::test]
async fn what_is_held_back_when_a_latency_is_cleared_or_shortened_waits_no_longer_than_the_new_one() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    for then in [None, Some(latency(20))] {
        scene.proxy.set(latency(AN_HOUR_MS));
        pair.upstream.write_all(b"held").await.unwrap();
        expect_nothing(&mut pair.client).await;
        match then {
            Some(shorter) => scene.proxy.set(shorter),
            None => scene.proxy.clear(),
        }
        expect(&mut pair.client, "held").await;
    }
}

#[tokio::test]
async fn with_jitter_each_answer_takes_at_least_the_least_and_all_keep_their_order() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    scene.proxy.set(Fault::Latency { delay_ms: 60, jitter_ms: 40 });
    for _ in 0..5 {
        let asked = clock::now();
        pair.answer("pong").await;
        let took = clock::now() - asked;
        assert!(took >= Duration::from_millis(20), "{took:?}");
    }
    let sent: String = (0..500).map(|n| format!("{n:04}")).collect();
    for word in sent.as_bytes().chunks(4) {
        pair.upstream.write_all(word).await.unwrap();
        tokio::task::yield_now().await;
    }
    expect(&mut pair.client, &sent).await;
}

#[tokio::test]
async fn many_answers_are_on_their_way_at_once() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    const DELAY_MS: u64 = 300;
    const CHUNKS: u32 = 200;
    scene.proxy.set(latency(DELAY_MS));
    let began = clock::now();
    // Two milliseconds apart, they are chunks of their own.
    let send = async {
        for _ in 0..CHUNKS {
            pair.upstream.write_all(b"chunk").await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let all = "chunk".repeat(CHUNKS as usize);
    tokio::join!(send, expect(&mut pair.client, &all));
    // One after the other, they would take a minute.
    let took = clock::now() - began;
    assert!(took < Duration::from_millis(DELAY_MS) * CHUNKS / 2, "{took:?}");
}

#[tokio::test]
async fn an_end_and_a_reset_are_as_late_as_what_came_before_them() {
    let scene = Scene::new().await;
    for is_reset in [false, true] {
        let mut pair = scene.pair().await;
        pair.ask("hello").await;
        scene.proxy.set(latency(100));
        let began = clock::now();
        pair.upstream.write_all(b"goodbye").await.unwrap();
        if is_reset {
            reset(pair.upstream);
        } else {
            pair.upstream.shutdown().await.unwrap();
        }
        // What a reset overtakes in the system's own buffers is the system's business.
        let mut read = Vec::new();
        let ended = soon("it ends", pair.client.read_to_end(&mut read)).await;
        assert_eq!(ended.is_err(), is_reset);
        assert!(is_reset || read == b"goodbye");
        assert!(clock::now() - began >= Duration::from_millis(100));
        scene.proxy.clear();
    }
}

#[tokio::test]
async fn of_what_is_held_back_no_more_is_taken_than_the_bound_and_what_the_system_holds() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    scene.proxy.set(latency(AN_HOUR_MS));
    let bound = LINE_BYTES_MAX + kernel_buffers_max();
    let taken = write_until_stuck(&mut pair.upstream, 2 * bound).await;
    assert!(taken <= bound, "{taken} of {bound}");
    assert_eq!(scene.proxy.counters().bytes_to_clients, 0);
    // And all of it arrives.
    scene.proxy.clear();
    let mut read = vec![0; taken];
    soon("all arrives", pair.client.read_exact(&mut read)).await.unwrap();
}

#[tokio::test]
async fn a_cut_resets_both_sides_of_what_is_open_and_nothing_that_comes_after() {
    let scene = Scene::new().await;
    let mut pairs = [scene.pair().await, scene.pair().await];
    pairs[0].ask("hello").await;
    scene.proxy.set(Fault::DropConnections);
    for pair in &mut pairs {
        expect_reset(&mut pair.client).await;
        expect_reset(&mut pair.upstream).await;
    }
    scene.until("they are counted", |counters| (counters.cut, counters.open) == (2, 0)).await;
    let mut pair = scene.pair().await;
    pair.ask("hello again").await;
    pair.answer("hello").await;
    assert_eq!((scene.proxy.counters().cut, scene.proxy.standing()), (2, vec![]));
}

#[tokio::test]
async fn a_gateway_that_is_gone_cuts_what_is_open_and_refuses_what_comes_until_it_is_light() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    pair.ask("hello").await;
    scene.proxy.set(dark(Darkness::Refuse));
    expect_reset(&mut pair.client).await;
    expect_reset(&mut pair.upstream).await;
    for _ in 0..3 {
        let mut client = scene.connect().await;
        expect_reset(&mut client).await;
    }
    let counters = scene.proxy.counters();
    assert_eq!((counters.cut, counters.refused_dark, counters.upstream_failed), (1, 3, 0));

    scene.proxy.clear();
    let mut pair = scene.pair().await;
    pair.ask("light?").await;
    pair.answer("light").await;
}

#[tokio::test]
async fn in_the_dark_nothing_passes_and_nothing_breaks_and_afterwards_no_byte_is_lost() {
    let scene = Scene::new().await;
    let mut open = scene.pair().await;
    open.ask("hello").await;
    scene.proxy.set(dark(Darkness::Swallow));
    open.client.write_all(b"anybody").await.unwrap();
    open.upstream.write_all(b"nobody").await.unwrap();
    open.upstream.shutdown().await.unwrap();
    let mut late = scene.connect().await;
    late.write_all(b"me, too").await.unwrap();
    expect_nothing(&mut open.client).await;
    expect_nothing(&mut open.upstream).await;
    expect_nothing(&mut late).await;
    let counters = scene.proxy.counters();
    assert_eq!((counters.swallowed, counters.cut, counters.open), (1, 0, 2));

    scene.proxy.clear();
    expect(&mut open.upstream, "anybody").await;
    expect(&mut open.client, "nobody").await;
    expect_end(&mut open.client).await;
    let mut answering = scene.accept().await;
    expect(&mut answering, "me, too").await;
}

#[tokio::test]
async fn a_darkness_of_a_given_length_ends_by_itself_and_not_sooner() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    for manner in [Darkness::Swallow, Darkness::Refuse] {
        let began = clock::now();
        scene.proxy.set(Fault::Dark { manner, lasts_ms: Some(150) });
        if manner == Darkness::Swallow {
            pair.answer("held").await;
        } else {
            soon("it is light", async {
                while !scene.proxy.standing().is_empty() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            })
            .await;
            scene.pair().await.ask("light").await;
        }
        assert!(clock::now() - began >= Duration::from_millis(150));
    }
}

#[tokio::test]
async fn a_darkness_that_took_the_place_of_another_does_not_end_with_it() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    scene.proxy.set(Fault::Dark { manner: Darkness::Swallow, lasts_ms: Some(1) });
    scene.proxy.set(dark(Darkness::Swallow));
    pair.upstream.write_all(b"held").await.unwrap();
    expect_nothing(&mut pair.client).await;
    assert_eq!(scene.proxy.standing(), [dark(Darkness::Swallow)]);
}

#[tokio::test]
async fn a_connection_carries_no_more_a_second_than_it_may_in_either_direction() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    pair.ask("hello").await;
    scene.proxy.set(bandwidth(200_000));
    for direction in 0..2 {
        let began = clock::now();
        let sent = vec![7; 100_000];
        let mut read = vec![0; sent.len()];
        let (from, to) = (&mut pair.client, &mut pair.upstream);
        let (wrote, read) =
            soon("all arrives", async { tokio::join!(from.write_all(&sent), to.read_exact(&mut read)) }).await;
        wrote.unwrap();
        read.unwrap();
        // Two slices of 20 ms come early.
        let took = clock::now() - began;
        assert!(took >= Duration::from_millis(500 - 40), "{direction}: {took:?}");
        std::mem::swap(&mut pair.client, &mut pair.upstream);
    }
}

#[tokio::test]
async fn where_bandwidth_is_short_the_sender_feels_it() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    scene.proxy.set(bandwidth(1));
    let bound = super::line::CHUNK_BYTES + kernel_buffers_max();
    let taken = write_until_stuck(&mut pair.upstream, 2 * bound).await;
    assert!(taken <= bound, "{taken} of {bound}");
    scene.proxy.clear();
    let mut read = vec![0; taken];
    soon("all arrives", pair.client.read_exact(&mut read)).await.unwrap();
}

#[tokio::test]
async fn a_latency_and_a_bandwidth_go_together() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    scene.proxy.set(latency(100));
    scene.proxy.set(bandwidth(100_000));
    let began = clock::now();
    pair.upstream.write_all(&[b'x'; 20_000]).await.unwrap();
    expect(&mut pair.client, &"x".repeat(20_000)).await;
    let took = clock::now() - began;
    assert!(took >= Duration::from_millis(100 + 200 - 40), "{took:?}");
}
