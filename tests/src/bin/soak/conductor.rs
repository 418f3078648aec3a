//! Starts everybody, does them harm, and looks at what became of the honest ones.

use std::collections::HashSet;
use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use shmipc::Client;
use shmipc_tests::process::PeerProcess;
use shmipc_tests::{Watchdog, segment_names, unique_name};

use crate::protocol::{Random, Report, Soak, SoakClient};
use crate::verdict::{Growth, Size, Verdict};

type Attempt<T> = Result<T, Box<dyn Error>>;

/// The kinds of clients that are done harm, and how many of each there are.
const WILD: [(&str, usize); 3] = [("churn", 3), ("slow", 2), ("hostile", 2)];
const HONEST: usize = 3;
/// Everything that was used once is used by then.
const WARM_UP: Duration = Duration::from_secs(30);

/// The long-lived processes.
struct Lasting {
    /// The steady server first, then the honest clients, the one that lives on last.
    all: Vec<(String, PeerProcess)>,
    flaky: PeerProcess,
}

/// Everything that there is.
struct Scene {
    steady: String,
    restless: String,
    lasting: Lasting,
    wild: Vec<(&'static str, PeerProcess)>,
    /// Who of them stands still.
    stopped: HashSet<usize>,
    random: Random,
    verdict: Verdict,
}

pub(crate) fn conduct(minutes: f64, seed: u64) -> Attempt<Verdict> {
    let total = Duration::try_from_secs_f64(minutes * 60.0)?;
    let _watchdog = Watchdog::start(total.as_secs() + 180);
    let before: HashSet<String> = segment_names().into_iter().collect();
    let mut scene = Scene::set(seed)?;
    scene.verdict.minutes = minutes;
    let warm_up = WARM_UP.min(total / 3);
    scene.harm_for(warm_up)?;
    let (sizes, _) = scene.quiet()?;
    scene.go_on()?;
    scene.harm_for(total.saturating_sub(warm_up))?;
    let (after, reports) = scene.quiet()?;
    let Scene { lasting, mut verdict, .. } = scene;
    for report in &reports {
        verdict.add(report);
    }
    let names = lasting.all.iter().map(|(name, _)| name.clone());
    let growth = sizes.into_iter().zip(after).map(|(before, after)| Growth { before, after });
    verdict.processes = names.zip(growth).collect();
    end(lasting, &mut verdict)?;
    verdict.leaked_names = left_behind(&before);
    Ok(verdict)
}

/// The clients first: the servers are to be there until they have left.
fn end(lasting: Lasting, verdict: &mut Verdict) -> Attempt<()> {
    let mut all = lasting.all;
    let server = all.remove(0);
    all.extend([server, ("restless server".into(), lasting.flaky)]);
    for (name, process) in all {
        if !process.wait()? {
            verdict.wrong_ends.push(name);
        }
    }
    Ok(())
}

/// Names that were not there before, after what is just being removed had its time: links, and
/// registries of soaks. Somebody else's test may run beside this.
fn left_behind(before: &HashSet<String>) -> Vec<String> {
    let started = Instant::now();
    let may_be_ours = |name: &str| name.starts_with("shmipc.l.") || name.contains("soak-");
    loop {
        let names = segment_names().into_iter();
        let names = names.filter(|name| may_be_ours(name) && !before.contains(name));
        let names: Vec<String> = names.collect();
        if names.is_empty() || started.elapsed() > Duration::from_secs(10) {
            return names;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn start(arguments: &[&str]) -> Attempt<PeerProcess> {
    let program = std::env::current_exe()?;
    let program = program.to_str().ok_or("the program's path is no text")?;
    let mut process = PeerProcess::start(program, arguments)?;
    match process.line()?.as_str() {
        "ready" => Ok(process),
        other => Err(format!("{arguments:?} said {other:?}").into()),
    }
}

impl Scene {
    fn set(seed: u64) -> Attempt<Self> {
        let (steady, restless) = (unique_name("soak-steady"), unique_name("soak-restless"));
        let mut random = Random::new(seed);
        let mut all = vec![(
            "steady server".to_owned(),
            start(&["server", &steady, "futex", &random.next().to_string()])?,
        )];
        let flaky = start(&["server", &restless, "event", &random.next().to_string()])?;
        for number in 1..=HONEST {
            let seed = random.next().to_string();
            all.push((format!("honest client {number}"), start(&["honest", &steady, &seed])?));
        }
        let seed_text = random.next().to_string();
        all.push(("client that lives on".into(), start(&["lives-on", &restless, &seed_text])?));
        let lasting = Lasting { all, flaky };
        let verdict = Verdict { seed, ..Verdict::default() };
        let (wild, stopped) = (Vec::new(), HashSet::new());
        let mut scene = Self { steady, restless, lasting, wild, stopped, random, verdict };
        scene.let_the_wild_in()?;
        Ok(scene)
    }

    fn let_the_wild_in(&mut self) -> Attempt<()> {
        for (kind, count) in WILD {
            for _ in 0..count {
                let process = self.start_wild(kind)?;
                self.wild.push((kind, process));
            }
        }
        Ok(())
    }

    fn start_wild(&mut self, kind: &str) -> Attempt<PeerProcess> {
        start(&[kind, &self.steady, &self.random.next().to_string()])
    }

    fn harm_for(&mut self, time: Duration) -> Attempt<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.harm()?;
            thread::sleep(Duration::from_millis(self.random.below(60)));
        }
        Ok(())
    }

    /// Does somebody something.
    fn harm(&mut self) -> Attempt<()> {
        let index = self.random.below(self.wild.len() as u64) as usize;
        match self.random.below(100) {
            0..55 => self.replace(index)?,
            55..90 if self.stopped.insert(index) => {
                self.wild[index].1.stop();
                self.verdict.clients_stopped += 1;
            }
            55..90 => {
                self.stopped.remove(&index);
                self.wild[index].1.go_on();
            }
            _ => {
                self.lasting.flaky.kill();
                let seed = self.random.next().to_string();
                self.lasting.flaky = start(&["server", &self.restless, "event", &seed])?;
                self.verdict.servers_killed += 1;
            }
        }
        Ok(())
    }

    /// Kills one, and another takes its place.
    fn replace(&mut self, index: usize) -> Attempt<()> {
        self.stopped.remove(&index);
        let kind = self.wild[index].0;
        self.dismiss(index);
        self.wild[index].1 = self.start_wild(kind)?;
        Ok(())
    }

    /// Kills one; it must not have ended before.
    fn dismiss(&mut self, index: usize) {
        let (kind, process) = &mut self.wild[index];
        if let Some(end) = process.ended() {
            self.verdict.wrong_ends.push(format!("{kind}: {end}"));
        }
        process.kill();
        self.verdict.clients_killed += 1;
    }

    /// Without the wild ones, and with the honest ones waiting: how large everybody is.
    fn quiet(&mut self) -> Attempt<(Vec<Size>, Vec<Report>)> {
        (0..self.wild.len()).for_each(|index| self.dismiss(index));
        self.wild.clear();
        self.stopped.clear();
        let mut reports = Vec::new();
        for (_, client) in &mut self.lasting.all[1..] {
            client.say("pause")?;
        }
        for (name, client) in &mut self.lasting.all[1..] {
            let line = client.line().map_err(|error| format!("{name}: {error}"))?;
            reports.push(serde_json::from_str(&line)?);
        }
        self.wait_for_departures()?;
        let sizes = self.lasting.all.iter().map(|(_, process)| Size::of(process.pid())).collect();
        Ok((sizes, reports))
    }

    /// Until the steady server has nobody but the honest clients.
    fn wait_for_departures(&self) -> Attempt<()> {
        loop {
            let client = Client::<Soak>::connect(&self.steady)?;
            let (linked, _, _) = client.visitors()?;
            drop(client);
            if linked == HONEST as u64 + 1 {
                // The watches on the last ones end a moment after their links.
                thread::sleep(Duration::from_millis(500));
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn go_on(&mut self) -> Attempt<()> {
        for (_, client) in &mut self.lasting.all[1..] {
            client.say("go on")?;
        }
        self.let_the_wild_in()
    }
}
