//! Synthetic soaks of two hours: what a gateway's memory does in them, sampled every ten seconds.

use std::f64::consts::TAU;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use s2_harness::{
    catalog::{Kpi, Phase},
    journal::{Gauge, GaugeSummary, Interval, Record},
};

/// The process that leaks, MB.
pub(crate) const BASE_MB: f64 = 200.0;
/// The tooth of a slow sawtooth, a share of the floor.
const TOOTH: f64 = 0.16;
const SAMPLE_MS: u64 = 10_000;
const DURATION_MS: u64 = 120 * 60_000;
/// Chaos windows of the plan, each with two minutes to settle. The second one restarts the gateway. Scenario minutes.
const WINDOWS: [(f64, f64, Phase); 3] =
    [(45.0, 47.1, Phase::RedisRestart), (75.0, 77.2, Phase::GatewayRestart), (90.0, 97.1, Phase::Latency)];

/// Behaviour of memory when nothing leaks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Family {
    /// Nothing at all.
    Flat,
    /// Gaussian noise on each sample, a standard deviation of 0.5 to 1.5 %.
    Noise,
    /// The same of 3 %.
    LoudNoise,
    /// A fast collector: 8 % up and down, a tooth every 20 s to 5 min.
    Fast,
    /// Number of teeth in two hours: 16 % from floor to peak, anywhere in their course at the start.
    Slow(u32),
    /// The same, each at its floor when the process begins.
    SlowFromFloor(u32),
    /// The same with a fall that takes up to a tenth of the tooth.
    Gentle(u32),
    /// Slow teeth under fast ones of 4 %.
    Mixed(u32),
    /// Teeth of uneven height, 10 to 16 %, and floors that lie up to 2 % apart.
    Uneven(u32),
    /// Two steps down of 3 to 6 %, at any time.
    StepsDown,
    /// One step up of 5 %, at any time: a cache is loaded.
    StepUp,
    /// 25 % more in the first two to eight minutes, then level.
    WarmUp,
    /// A slow wave of 3 % up and down, as load makes it.
    Wave,
    /// Open descriptors: 60, and 0 to 3 more at any sample. Leaks are in descriptors.
    Descriptors,
}

/// Whether the process lives through the soak.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Lives {
    /// It does.
    One,
    /// The gateway's restart at T+75 is one of the process: memory begins afresh.
    Two,
}

/// The teeth of one life, drawn once.
struct Dice {
    noise: f64,
    phase: f64,
    fast_minutes: f64,
    fast_phase: f64,
    fall: f64,
    steps: [(f64, f64); 2],
    warm_up_minutes: f64,
    uneven: Vec<(f64, f64)>,
}

impl Family {
    /// Returns the gauge that is measured, and the KPI that judges it.
    pub(crate) const fn measured(self) -> (Gauge, Kpi) {
        match self {
            Self::Descriptors => (Gauge::GatewayFdSurplus, Kpi::FdDrift),
            _ => (Gauge::GatewayRss, Kpi::RssDrift),
        }
    }

    /// Whether it falls back, slowly, by itself: a rise that does not is then no tooth.
    pub(crate) const fn has_slow_teeth(self) -> bool {
        matches!(self, Self::Slow(_) | Self::SlowFromFloor(_) | Self::Gentle(_) | Self::Mixed(_) | Self::Uneven(_))
    }

    /// Returns the average total of the steps down of memory in two hours, as a share of the base.
    pub(crate) const fn steps_down(self) -> f64 {
        if matches!(self, Self::StepsDown) { 0.09 } else { 0.0 }
    }

    /// The journal of a soak with a leak of so much an hour.
    pub(crate) fn journal(self, lives: Lives, leak_per_hour: f64, seed: u64) -> impl Iterator<Item = Record> {
        let mut rng = Pcg64::seed_from_u64(seed);
        let dice = [Dice::roll(self, &mut rng), Dice::roll(self, &mut rng)];
        (0..DURATION_MS / SAMPLE_MS).map(move |n| {
            let from_ms = n * SAMPLE_MS;
            let minute = from_ms as f64 / 60_000.0;
            let is_second = lives == Lives::Two && minute >= 75.0;
            let life_minute = if is_second { minute - 75.0 } else { minute };
            let dice = &dice[usize::from(is_second)];
            let leaked = leak_per_hour * life_minute / 60.0;
            let value = match self {
                Self::Descriptors => 60.0 + f64::from(rng.random_range(0..=3)) + leaked.floor(),
                _ => {
                    let shape = self.shape(dice, life_minute);
                    (BASE_MB * shape + leaked) * (1.0 + dice.noise * gaussian(&mut rng)) * 1e6
                }
            };
            let window = WINDOWS.iter().find(|(from, to, _)| (*from..*to).contains(&minute));
            let mut interval =
                Interval::empty(from_ms, from_ms + SAMPLE_MS, window.map_or(Phase::Steady, |(.., phase)| *phase));
            interval.gateway_life = Some(if is_second { "4712".to_owned() } else { "4711".to_owned() });
            interval.gauges.insert(self.measured().0, GaugeSummary::of(value));
            Record::Interval(Box::new(interval))
        })
    }

    /// Memory as a share of the base, so many minutes into a life.
    fn shape(self, dice: &Dice, minute: f64) -> f64 {
        let fast = (minute / dice.fast_minutes + dice.fast_phase).fract() - 0.5;
        let teeth = |count: u32| minute * f64::from(count) / 120.0 + dice.phase;
        match self {
            Self::Fast => 1.0 + 0.16 * fast,
            Self::Slow(count) => 1.0 + TOOTH * teeth(count).fract(),
            Self::SlowFromFloor(count) => 1.0 + TOOTH * (teeth(count) - dice.phase).fract(),
            Self::Mixed(count) => 1.0 + TOOTH * teeth(count).fract() + 0.08 * fast,
            Self::Gentle(count) => {
                let at = teeth(count).fract();
                let rise = 1.0 - dice.fall;
                1.0 + TOOTH * if at < rise { at / rise } else { (1.0 - at) / dice.fall }
            }
            Self::Uneven(count) => {
                let (tooth, floor) = dice.uneven[teeth(count) as usize % dice.uneven.len()];
                1.0 + floor + tooth * teeth(count).fract()
            }
            Self::StepsDown => 1.0 - dice.steps.iter().filter(|step| minute > step.0).map(|step| step.1).sum::<f64>(),
            Self::StepUp => {
                if minute > dice.steps[0].0 {
                    1.05
                } else {
                    1.0
                }
            }
            Self::WarmUp => 1.0 - 0.2 * (1.0 - minute / dice.warm_up_minutes).max(0.0),
            Self::Wave => 1.0 + 0.03 * (TAU * (minute / (10.0 * dice.fast_minutes + 20.0) + dice.phase)).sin(),
            Self::Flat | Self::Noise | Self::LoudNoise | Self::Descriptors => 1.0,
        }
    }
}

impl Dice {
    fn roll(family: Family, rng: &mut Pcg64) -> Self {
        let noise = rng.random_range(0.005..0.015);
        Self {
            noise: match family {
                Family::Flat => 0.0,
                Family::Noise => noise,
                Family::LoudNoise => 0.03,
                _ => 0.003,
            },
            phase: rng.random_range(0.0..1.0),
            fast_minutes: rng.random_range(1.0 / 3.0..5.0),
            fast_phase: rng.random_range(0.0..1.0),
            fall: rng.random_range(0.01..0.10),
            steps: [(); 2].map(|()| (rng.random_range(0.0..120.0), rng.random_range(0.03..0.06))),
            warm_up_minutes: rng.random_range(2.0..8.0),
            uneven: (0..6).map(|_| (rng.random_range(0.10..TOOTH), rng.random_range(0.0..0.02))).collect(),
        }
    }
}

/// Nearly normal, with a mean of 0 and a deviation of 1: the sum of twelve even ones.
fn gaussian(rng: &mut Pcg64) -> f64 {
    (0..12).map(|_| rng.random_range(-0.5..0.5)).sum()
}
