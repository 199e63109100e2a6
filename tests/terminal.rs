//! What a person sees of a soak: on a terminal of a size of its own, whose screen is looked at after every write, and in a
//! file, as a CI job keeps it.
//!
//! The binary is this one again: where a test says so it is the soak's, with the mock gateway.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Read,
    num::NonZero,
    path::{Path, PathBuf},
    process::{Child, ExitCode, Stdio},
};

use libtest_mimic::{Arguments, Failed, Trial};
use mock_gateway::{Config, MockGateway};
use pty_process::{Size, blocking::Command as OnTerminal};
use roxmltree::Document;
use s2_harness::{
    runner::{EmbeddedGateway, StartingGateway},
    workload,
};
use tempfile::TempDir;
use testkit::{AS_THE_SOAK, foreign_variables, own_binary, play_if_asked};
use vt100::Parser;

/// So tall that nothing scrolls away: what was left behind anywhere is still there at the end.
const ROWS: u16 = 400;
/// The clock, the counts, and three KPIs; the smoke test has no chaos.
const BLOCK_ROWS: usize = 5;
/// What is written in one piece may be read in two, with a look in between.
const HALVES_MAX: usize = 3;
/// Scenario seconds in a second: the smoke test takes about ten.
const PACE: &str = "120";

type Tested = Result<(), Failed>;
type Test = fn() -> Tested;

fn main() -> ExitCode {
    if let Some(code) = play_if_asked(gateway, workload::workers) {
        return code;
    }
    let tests: [(&str, Test); 3] = [
        ("a_terminal_shows_one_steady_block_and_then_the_report_and_the_table", on_a_terminal),
        ("a_narrow_terminal_without_colour_shows_the_same_and_nothing_wraps", on_a_narrow_terminal),
        ("a_ci_job_has_plain_lines_a_junit_file_and_one_summary", in_a_ci_job),
    ];
    let mut args = Arguments::from_args();
    args.test_threads = args.test_threads.or(Some(tests.len()));
    let trials = tests.into_iter().map(|(name, test)| Trial::test(name, test)).collect();
    libtest_mimic::run(&args, trials).exit_code()
}

/// With one defect that is certain early.
fn gateway() -> StartingGateway {
    Box::pin(async {
        let defects = "accept-tampered".parse().map_err(|error| format!("{error}"))?;
        let config = Config { defects, ..Config::default() };
        let gateway = MockGateway::start(config).await.map_err(|error| error.to_string())?;
        Ok(EmbeddedGateway::new(gateway.url(), async move { gateway.shutdown().await }))
    })
}

fn on_a_terminal() -> Tested {
    let watched = Watched::new(80, &[])?;
    watched.has_shown_blocks()?;
    watched.has_left_a_report()?;
    // The table is whole, and only here there is colour.
    let table = watched.table()?;
    assert!(table.iter().any(|row| row.contains("samples / promised")), "{table:?}");
    assert!(has_colour(&watched.bytes), "a terminal that can has colour");
    Ok(())
}

fn on_a_narrow_terminal() -> Tested {
    let watched = Watched::new(40, &[("NO_COLOR", "1")])?;
    watched.has_shown_blocks()?;
    let table = watched.table()?;
    let red = table.iter().find(|row| row.starts_with("tampered_manifests")).ok_or("the table lacks a KPI")?;
    assert!(red.ends_with("FAIL") && red.chars().count() <= 40, "{red}");
    assert!(!has_colour(&watched.bytes), "NO_COLOR is not heeded");
    Ok(())
}

fn in_a_ci_job() -> Tested {
    let folder = tempfile::tempdir()?;
    let summary = folder.path().join("summary.md");
    let said = |name: &str| File::create(folder.path().join(name));
    let mut command = own_binary()?;
    command.args(["smoke::"]).current_dir(folder.path()).envs(surroundings(folder.path()));
    command.env("GITHUB_STEP_SUMMARY", &summary).env("CLICOLOR_FORCE", "1");
    let status = command.stdin(Stdio::null()).stdout(said("stdout")?).stderr(said("stderr")?).status()?;
    assert_eq!(Some(101), status.code(), "a defect is red");
    let stderr = fs::read_to_string(folder.path().join("stderr"))?;
    assert!(!stderr.contains('\u{1b}'), "{stderr}");
    let reds: Vec<&str> = stderr.lines().filter(|line| line.contains("red already")).collect();
    let beats = stderr.lines().filter(|line| line.contains("💓 S2 alive — t=")).count();
    assert!(
        reds.iter().any(|line| line.starts_with("smoke     red already: the share of tampered manifests")),
        "{reds:?}"
    );
    assert_eq!((reds.len(), 3), (reds.iter().collect::<BTreeSet<_>>().len(), beats), "{stderr}");
    assert!(stderr.lines().any(|line| line.starts_with("tampered_manifests") && line.ends_with("FAIL")), "{stderr}");

    let summary = fs::read_to_string(&summary)?;
    assert_eq!(1, summary.matches("### S2 smoke:").count(), "{summary}");
    let first = summary.lines().find(|line| line.starts_with("| 🔴") || line.starts_with("| 🟢")).ok_or("no rows")?;
    assert!(first.starts_with("| 🔴") && summary.contains("| 🔴 **FAIL** | tampered_manifests |"), "{summary}");

    let text = fs::read_to_string(junit(folder.path())?)?;
    let document = Document::parse(&text)?;
    let case = |name: &str| document.descendants().find(|node| node.attribute("name") == Some(name));
    let red = case("smoke::kpi::tampered_manifests").ok_or("no case for the KPI")?;
    assert!(red.children().any(|child| child.attribute("type") == Some("fail")), "{text}");
    assert_eq!(Some("yes"), case("finished").and_then(|property| property.attribute("value")));
    Ok(())
}

fn junit(folder: &Path) -> Result<PathBuf, Failed> {
    let of_suite = fs::canonicalize(folder.join("out/latest-smoke"))?;
    let mut files = fs::read_dir(of_suite)?.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(files.find(|path| path.to_string_lossy().contains("s2-smoke-junit-")).ok_or("there is no JUnit file")?)
}

/// Whether a text sets a colour: an escape code that ends in `m`.
fn has_colour(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let codes = text.split("\u{1b}[").skip(1);
    codes.into_iter().any(|code| code.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
}

fn surroundings(folder: &Path) -> [(&'static str, String); 3] {
    let (variable, value) = AS_THE_SOAK;
    let out = folder.join("out").display().to_string();
    [(variable, value.to_owned()), ("S2_OUT", out), ("S2_PACE", PACE.to_owned())]
}

/// A soak that was watched on a terminal to its end.
struct Watched {
    columns: u16,
    bytes: Vec<u8>,
    /// Screens on which there was a block: the rows of it, and the one below.
    blocks: Vec<Vec<String>>,
    /// What is on the screen at the end.
    screen: Vec<String>,
    _folder: TempDir,
}

impl Watched {
    fn new(columns: u16, environment: &[(&str, &str)]) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let (mut pty, terminal) = pty_process::blocking::open()?;
        pty.resize(Size::new(ROWS, columns))?;
        let mut command = OnTerminal::new(std::env::current_exe()?);
        for name in foreign_variables() {
            command = command.env_remove(name);
        }
        command = command.arg("smoke::").current_dir(folder.path()).env("TERM", "xterm-256color");
        command = command.envs(surroundings(folder.path())).envs(environment.iter().copied());
        let mut child = Playing(command.spawn(terminal)?);
        let mut watched = Self { columns, bytes: Vec::new(), blocks: Vec::new(), screen: Vec::new(), _folder: folder };
        let size = |n| NonZero::new(n).ok_or("a terminal has rows and columns");
        let mut parser = Parser::new(size(ROWS)?, size(columns)?, 0);
        let mut chunk = [0; 64 * 1024];
        // A terminal whose last process has gone is an error to who reads it.
        while let Ok(read @ 1..) = pty.read(&mut chunk) {
            parser.process(&chunk[..read]);
            watched.bytes.extend_from_slice(&chunk[..read]);
            watched.look(&parser);
        }
        let status = child.0.wait()?;
        assert_eq!(Some(101), status.code(), "a defect is red");
        watched.screen = rows(&parser, columns);
        Ok(watched)
    }

    fn look(&mut self, parser: &Parser) {
        let rows = rows(parser, self.columns);
        let Some(first) = rows.iter().position(|row| is_clock(row)) else { return };
        let block: Vec<String> = rows[first..].iter().take(BLOCK_ROWS + 1).cloned().collect();
        if self.blocks.last() != Some(&block) {
            self.blocks.push(block);
        }
    }

    fn has_shown_blocks(&self) -> Tested {
        // As many rows as there are, and nothing below: no row wraps, and none is left of another block.
        let is_whole = |block: &&Vec<String>| {
            let has_counts = block.len() > BLOCK_ROWS && block[1].contains(" runs, ");
            has_counts && block[2..BLOCK_ROWS].iter().all(|row| row.starts_with("  ")) && block[BLOCK_ROWS].is_empty()
        };
        let (blocks, halves): (Vec<&Vec<String>>, Vec<_>) = self.blocks.iter().partition(is_whole);
        assert!(halves.len() <= HALVES_MAX, "{halves:#?}");
        assert!(blocks.len() >= 10, "only {} blocks: {:?}", blocks.len(), self.blocks);
        let moments: BTreeSet<&str> = blocks.iter().filter_map(|block| block[0].split("T+").nth(1)).collect();
        assert!(moments.len() >= 10, "the clock stands: {moments:?}");
        let kpis = |block: &&&Vec<String>| block[2..BLOCK_ROWS].iter().all(|row| row.contains(['≤', '≥', '<']));
        assert!(blocks.iter().filter(kpis).count() >= 5, "no KPIs: {blocks:?}");
        let red = |block: &&&Vec<String>| block[1].contains("1 red");
        assert!(blocks.iter().any(|block| red(&block)), "no red: {blocks:?}");
        let left: Vec<&String> = self.screen.iter().filter(|row| is_clock(row) || row.contains(" runs, ")).collect();
        assert!(left.is_empty(), "of a block there is left {left:?}");
        Ok(())
    }

    /// Each line of the test report is there, and nothing is on it but its own.
    fn has_left_a_report(&self) -> Tested {
        let trials: Vec<&String> =
            self.screen.iter().filter(|row| row.contains("smoke::") && row.contains(" ... ")).collect();
        let is_whole = |row: &&String| {
            row.starts_with("test smoke::") && ["ok", "FAILED", "ignored"].iter().any(|end| row.ends_with(end))
        };
        assert!(trials.iter().all(is_whole), "{trials:#?}");
        let names: BTreeSet<&str> = trials.iter().filter_map(|row| row.split_whitespace().nth(1)).collect();
        assert_eq!((29, 29), (trials.len(), names.len()), "{trials:#?}");
        Ok(())
    }

    fn table(&self) -> Result<&[String], Failed> {
        let head = self.screen.iter().rposition(|row| row.starts_with("KPI ")).ok_or("there is no table")?;
        let table = &self.screen[head..];
        assert!(table.iter().all(|row| row.is_empty() || row.contains("  ")), "{table:#?}");
        Ok(table)
    }
}

fn rows(parser: &Parser, columns: u16) -> Vec<String> {
    parser.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect()
}

fn is_clock(row: &str) -> bool {
    row.starts_with("smoke ") && row.ends_with(" of T+15:00")
}

/// The runner; ended with its test, however that ends.
struct Playing(Child);

impl Drop for Playing {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
