//! A soak, played by the test binary itself, which is the runner.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use s2_harness::clock;

use crate::{
    AnyError,
    binary::{AS_THE_SOAK, own_binary, remove_foreign_variables},
    left::Left,
};

/// The gateways of most tests are native: their memory neither warms up nor has garbage, there is nothing behind them, and they
/// notice at once that a client has left. So a compressed soak may judge their growth.
const NATIVE_MEMORY: &str = "\n[drift]\nmin_real_time = \"0s\"\nrss_base_min = \"32 MB\"\n";
/// Between looks at the runner.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A soak that can be played.
#[derive(Debug, Clone)]
pub struct Soak {
    /// Its folder. Earlier contents are removed.
    pub folder: PathBuf,
    /// The suite whose trials are run: `smoke`, `full` or `preflight`.
    pub suite: &'static str,
    /// Scenario seconds per second.
    pub pace: f64,
    /// Its `soak.toml`. Without a `[drift]` section it gets one that suits gateways without a garbage collector.
    pub settings: String,
    /// `S2_GATEWAY_URL`; without one, the embedded gateway is played at.
    pub gateway_url: Option<String>,
    /// `S2_TOKEN`; not set if empty.
    pub token: &'static str,
    /// `S2_LOG`.
    pub log: &'static str,
}

/// A soak that is being played. Its runner is killed when this is dropped.
#[derive(Debug)]
pub struct Playing {
    /// The runner's process.
    pub runner: Child,
    folder: PathBuf,
    suite: &'static str,
}

impl Soak {
    /// Makes the folder, with only the settings in it.
    ///
    /// # Errors
    ///
    /// The folder cannot be made, or not be emptied.
    pub fn prepare(&self) -> io::Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        fs::create_dir_all(out(&self.folder))?;
        let memory = if self.settings.contains("[drift]") { "" } else { NATIVE_MEMORY };
        fs::write(self.settings_file(), format!("{}{memory}", self.settings))
    }

    /// Makes the folder, and the command by which this binary plays all trials of the suite.
    ///
    /// # Errors
    ///
    /// Those of [`Self::prepare`].
    pub fn command(&self) -> io::Result<Command> {
        self.prepare()?;
        let mut command = own_binary()?;
        command.args(["--include-ignored", &format!("{}::", self.suite), "--color", "never"]);
        self.set_environment(&mut command);
        Ok(command)
    }

    /// Gives a command that runs this binary the environment of this soak.
    fn set_environment(&self, command: &mut Command) {
        remove_foreign_variables(command);
        command.envs([AS_THE_SOAK]).env("S2_OUT", out(&self.folder)).env("S2_CONFIG", self.settings_file());
        command.env("S2_PACE", self.pace.to_string()).env("S2_LOG", self.log);
        if let Some(url) = &self.gateway_url {
            command.env("S2_GATEWAY_URL", url);
        }
        if !self.token.is_empty() {
            command.env("S2_TOKEN", self.token);
        }
    }

    /// Starts the soak.
    ///
    /// # Errors
    ///
    /// Those of [`Self::prepare`], and that the process cannot be started.
    pub fn start(&self) -> io::Result<Playing> {
        self.start_by(self.command()?)
    }

    /// Starts the soak by another command that runs this binary. The folder must exist.
    ///
    /// # Errors
    ///
    /// The process cannot be started.
    pub fn start_by(&self, mut command: Command) -> io::Result<Playing> {
        self.set_environment(&mut command);
        let file = |name: &str| File::create(self.folder.join(name));
        command.stdin(Stdio::null()).stdout(file("stdout")?).stderr(file("stderr")?);
        Ok(Playing { runner: command.spawn()?, folder: self.folder.clone(), suite: self.suite })
    }

    fn settings_file(&self) -> PathBuf {
        self.folder.join("soak.toml")
    }
}

impl Playing {
    /// The folder that the soak has as `S2_OUT`.
    #[must_use]
    pub fn out(&self) -> PathBuf {
        out(&self.folder)
    }

    /// Returns the exit status and the files of the soak, if the runner has ended.
    ///
    /// # Errors
    ///
    /// The state of the process cannot be read.
    pub fn ended(&mut self) -> io::Result<Option<Left>> {
        let status = self.runner.try_wait()?;
        Ok(status.map(|status| Left { status, folder: self.folder.clone(), suite: self.suite }))
    }

    /// Waits for the runner's end.
    ///
    /// # Errors
    ///
    /// The runner has not ended within the limit.
    pub fn left_within(self, limit: Duration) -> Result<Left, AnyError> {
        self.watch(limit, |_| {})
    }

    /// Waits for the runner's end, and calls `look` every 100 ms until then.
    ///
    /// # Errors
    ///
    /// The runner has not ended within the limit.
    pub fn watch(mut self, limit: Duration, mut look: impl FnMut(&Self)) -> Result<Left, AnyError> {
        let began = clock::now();
        loop {
            if let Some(left) = self.ended()? {
                return Ok(left);
            }
            if clock::now().saturating_duration_since(began) > limit {
                return Err(format!("{} has not ended within {} s", self.folder.display(), limit.as_secs()).into());
            }
            look(&self);
            thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        // A runner that has ended cannot be killed, and has been waited for.
        let _ = self.runner.kill();
        let _ = self.runner.wait();
    }
}

pub(crate) fn out(folder: &Path) -> PathBuf {
    folder.join("out")
}
