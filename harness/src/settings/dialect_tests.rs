//! Dialects as people write them: what differs is enough, and what is wrong is told with its line.

use std::{fs, path::Path};

use tempfile::TempDir;

use super::{SettingsError, built_in_dialect, dialect, problem::Problems};
use crate::{
    catalog::{CallName, Kpi, Workload},
    gateway::{Dialect, RunStanding},
};

/// A dialect by name or path, or all its problems.
pub(crate) fn load_dialect(name_or_path: &str, folder: &Path) -> Result<Dialect, SettingsError> {
    let problems = Problems::default();
    let read = dialect::read(name_or_path, folder, &problems);
    problems.none()?;
    Ok(read.unwrap_or_else(built_in_dialect))
}

/// A dialect from a file of this text.
fn load(text: &str) -> Result<Dialect, String> {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("gateway.toml"), text).unwrap();
    load_dialect("gateway.toml", folder.path()).map_err(|e| e.to_string())
}

#[test]
fn what_a_dialect_does_not_say_is_as_the_contract_has_it() {
    let dialect = load("[calls.health]\npath = \"/healthz\"\n").unwrap();
    let built_in = built_in_dialect();
    assert_eq!("GET /healthz", dialect.route(CallName::Health));
    assert_eq!(built_in.call(CallName::CreateRun), dialect.call(CallName::CreateRun));
    assert!(dialect.unsupported(true).is_empty());
    assert_eq!("gateway.toml:2", dialect.place_of("calls.health.path"));
    let other: Vec<_> = dialect.routes_other_than(&built_in).into_iter().collect();
    assert_eq!(vec![("GET /health".to_owned(), "GET /healthz".to_owned())], other);
    let inherited = dialect.place_of("calls.health.yes");
    assert!(inherited.starts_with("stands in 4runr:") && inherited.contains("; say it in "), "{inherited}");
}

#[test]
fn every_mistake_is_told_at_once_each_with_its_line() {
    let text = "\
[headers]
X-Space = \"{space}\"
[calls.ready]
absent = \"no\"
[calls.publish]
absent = \"\"
[calls.helth]
path = \"/healthz\"
[calls.create_run]
path = \"api/runs\"
body = '{\"id\": }'
id = \"run_id\"
yes = [\"201\"]
colour = \"red\"
[calls.get_run]
path = \"/runs/{run}\"
part_of = \"create_run\"
[calls.logs_stream]
method = \"POST\"
wait = [409]
[run_states]
success = [\"done\", \"failed\"]
[events]
ids = \"mine\"
[metrics.names]
queue = \"q\"
";
    let error = load(text).unwrap_err();
    for (line, key, what) in [
        (2, "headers.X-Space", "has a place {space}, which nothing is put into; here there are {workspace}, {token}"),
        (4, "calls.ready.absent", "S2 cannot do without this call"),
        (6, "calls.publish.absent", "gives no reason"),
        (7, "calls.helth", "is no setting; did you mean `health`?"),
        (
            10,
            "calls.create_run.path",
            "is \"api/runs\"; it should begin with a slash, or with http:// where it is on another port",
        ),
        (11, "calls.create_run.body", "is no JSON"),
        (12, "calls.create_run.id", "is \"run_id\"; a JSON pointer begins with a slash: \"/run_id\""),
        (13, "calls.create_run.yes", "it should be a list of statuses from 100 to 999"),
        (14, "calls.create_run.colour", "is no setting"),
        (17, "calls.get_run.part_of", "only `start_run` may be part of another"),
        (19, "calls.logs_stream.method", "streams are opened with GET"),
        (20, "calls.logs_stream.wait", "is not for streams"),
        (22, "run_states.failure", "stands in another list too"),
        (24, "events.ids", "is \"mine\"; it should be \"stream\" or \"connection\""),
        (26, "metrics.names.queue", "is no setting"),
    ] {
        let problem = error.lines().find(|problem| problem.contains(&format!("`{key}` ")));
        let problem = problem.unwrap_or_else(|| panic!("nothing is said of {key}:\n{error}"));
        assert!(problem.contains(what), "{problem}");
        // What is wrong with the base's list is told on the line of its table.
        let line = if key == "run_states.failure" { 21 } else { line };
        assert!(problem.trim_start().starts_with(&format!("gateway.toml:{line}: ")), "{line}: {problem}");
    }
}

#[test]
fn what_a_gateway_does_not_have_waives_what_needs_it_for_that_reason() {
    let text = "[calls.publish]\nabsent = \"sold apart\"\n[calls.guard_stream]\nabsent = \"mute\"\n\
                [metrics.absent]\nsentinel_judge_duration_seconds = \"mute\"\nrun_queue_depth = \"no queue\"\n";
    let unsupported = load(text).unwrap().unsupported(false);
    let kpis: Vec<Kpi> = unsupported.kpis.keys().copied().collect();
    let expected =
        [Kpi::JudgeP95, Kpi::PublishSearchDelay, Kpi::RegistryConsistency, Kpi::TamperedManifests, Kpi::QueueDrift];
    assert_eq!(expected.to_vec(), kpis);
    assert!(unsupported.kpis[&Kpi::QueueDrift].ends_with("has no run_queue_depth: no queue"), "{unsupported:?}");
    assert!(unsupported.kpis[&Kpi::JudgeP95].contains("mute"), "{unsupported:?}");
    assert_eq!(vec![Workload::Registry], unsupported.workloads.keys().copied().collect::<Vec<_>>());
}

#[test]
fn a_gateway_that_names_runs_must_say_where_their_names_are() {
    let text = "[calls.create_run]\nbody = '{\"text\": \"{message}\"}'\n";
    assert!(load(text).unwrap().gives_run_ids(), "4runr says where it is");
    let error = load(&format!("{text}id = \"id\"\n")).unwrap_err();
    assert!(error.contains("gateway.toml:3: `calls.create_run.id` is \"id\""), "{error}");
}

#[test]
fn dialects_may_stand_on_one_another_and_not_in_a_circle() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("base.toml", "[run_states]\nsuccess = [\"done\"]\n[calls.health]\nabsent = \"none\"\n");
    write("top.toml", "extends = \"base.toml\"\n[calls.ready]\npath = \"/up\"\n");
    let dialect = load_dialect("top.toml", folder.path()).unwrap();
    assert_eq!(RunStanding::Succeeded, dialect.standing_of("done"));
    assert_eq!((Some("none"), "GET /up"), (dialect.absence(CallName::Health), dialect.route(CallName::Ready)));
    write("base.toml", "extends = \"top.toml\"\n");
    let error = load_dialect("top.toml", folder.path()).unwrap_err().to_string();
    assert!(error.contains("goes on for over 4 files: do they extend one another?"), "{error}");
    let error = load_dialect("nope.toml", folder.path()).unwrap_err().to_string();
    assert!(error.contains("nope.toml: No such file") && error.contains("a dialect is `4runr` or a file"), "{error}");
}

#[test]
fn limits_have_defaults_and_bounds_and_a_wrong_one_is_reported_with_its_line() {
    let limits = load("").unwrap().limits;
    let expected = (None, 300, 1 << 20, 8 << 20, 60);
    let (idle, effect) = (limits.stream_idle.as_secs(), limits.restart_effect.as_secs());
    assert_eq!(expected, (limits.connection_age, idle, limits.event_bytes_max, limits.answer_bytes_max, effect));
    let text = "[limits]\nconnection_age = \"4m\"\nevent_size = \"300 KiB\"\nanswer_size = \"16MB\"\n";
    let limits = load(text).unwrap().limits;
    let sizes = (limits.event_bytes_max, limits.answer_bytes_max);
    assert_eq!((Some(240), (300 << 10, 16_000_000)), (limits.connection_age.map(|age| age.as_secs()), sizes));
    let text = "[limits]\nconnection_age = \"1s\"\nstream_idle = 60\nevent_size = \"1 GiB\"\nanswer_size = \"big\"\n\
                restart_effect = \"\"\nage = \"1m\"\n";
    let error = load(text).unwrap_err();
    for (line, what) in [
        (2, "connection_age` is \"1s\"; it should be \"\" for none, or a duration from \"5s\" to \"1day\""),
        (3, "stream_idle` is 60; it should be a duration from \"5s\" to \"1h\""),
        (4, "event_size` is \"1 GiB\"; it should be a size from \"4.0 KiB\" to \"64.0 MiB\""),
        (5, "answer_size` is \"big\"; it should be a size"),
        (6, "restart_effect` is \"\"; it should be a duration from \"1s\" to \"10m\""),
        (7, "age` is no setting"),
    ] {
        let problem = format!("gateway.toml:{line}: `limits.{what}");
        assert!(error.contains(&problem), "{problem}\n{error}");
    }
}

#[test]
fn habits_of_registry_and_safety_layer_have_defaults_and_wrong_ones_are_told_with_their_lines() {
    let built_in = load("").unwrap();
    let habits = |dialect: &crate::gateway::Dialect, call| dialect.call(call).unwrap().habits.clone();
    assert_eq!(crate::gateway::dialect::Habits::default(), habits(&built_in, CallName::Publish));
    assert_eq!(crate::gateway::dialect::Habits::default(), habits(&built_in, CallName::Search));
    assert!(!built_in.refuses_personal_data() && !built_in.follows_pages() && !built_in.searches_by_version());
    let dialect = load(
        "[calls.create_run]\npersonal_data = \"refused\"\n[calls.publish]\nversion_form = \"1.0.{seconds}\"\n\
         [calls.search]\npath = \"/s?q={text}&o={offset}\"\npage_size = 50\nfirst_page = 0\npages_max = 9\n\
         [run_states]\nrefused = [\"blocked\"]\n",
    )
    .unwrap();
    assert!(dialect.refuses_personal_data() && dialect.follows_pages());
    assert_eq!("1.0.1795942305", habits(&dialect, CallName::Publish).version_form.version(7, 1_795_942_305_678));
    let paging = habits(&dialect, CallName::Search).paging;
    assert_eq!((50, 0, 9), (paging.page_size, paging.first_page, paging.pages_max));
    assert_eq!(RunStanding::Failed("blocked".into()), dialect.standing_of("blocked"));
    let text = "\
[calls.create_run]
personal_data = \"hidden\"
[calls.publish]
version_form = \"1.0.{number}\"
[calls.search]
path = \"/s?q={text}&n={pages}\"
page_size = 0
first_page = 2
[calls.get_agent]
version_form = \"1\"
[calls.toggle_privacy]
storage = [\"on\", \"on\"]
";
    let error = load(text).unwrap_err();
    for (line, key, what) in [
        (2, "calls.create_run.personal_data", "it should be \"masked\" or \"refused\""),
        (4, "calls.publish.version_form", "gives the same version again and again: it needs {stamp}"),
        (6, "calls.search.path", "has a place {pages}"),
        (7, "calls.search.page_size", "a whole number from 1 to 1000"),
        (8, "calls.search.first_page", "a whole number from 0 to 1"),
        (10, "calls.get_agent.version_form", "is no setting"),
        (12, "calls.toggle_privacy.storage", "it should have two words, the first where runs are stored as they are"),
    ] {
        let problem = error.lines().find(|problem| problem.contains(&format!("`{key}` ")));
        let problem = problem.unwrap_or_else(|| panic!("nothing is said of {key}:\n{error}"));
        assert!(problem.contains(what), "{problem}");
        assert!(problem.trim_start().starts_with(&format!("gateway.toml:{line}: ")), "{line}: {problem}");
    }
    let error = load("[calls.publish]\nversion_form = \"{stamp}-{moment}\"\n").unwrap_err();
    assert!(error.contains("has a place {moment}"), "{error}");
}
