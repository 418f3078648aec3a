//! One kill, up to the moment when everything should be as before.

use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use shmipc::Client;

use super::{Sweep, role};
use crate::ledger;
use crate::plan::{At, Plan, Side};
use crate::post::{PATIENCE, until};
use crate::process::Process;
use crate::protocol::{Up, UpClient as _};
use crate::roles::CONNECT_DEADLINE;
use crate::station::{self, Manner, Station};
use crate::tally::Fault;
use crate::traffic::Talker;

/// How long to wait for a step.
const STEP_PATIENCE: Duration = Duration::from_secs(3);
/// Time for clients to come before a victim stops in an orderly way.
const SERVE_FOR: Duration = Duration::from_millis(25);
/// How long something may take that works "at once".
const AT_ONCE: Duration = Duration::from_secs(1);

impl Sweep {
    pub(super) fn kill_a_client(&mut self, plan: &Plan) -> anyhow::Result<()> {
        self.ledger.reset();
        let name = match plan.wants_stale_name() {
            true => self.make_stale(plan)?,
            false => self.post(plan).name.clone(),
        };
        let mut victim = Process::start(&self.client_arguments(plan, &name))?;
        self.await_death(plan, &mut victim);
        self.ledger.over.store(1, SeqCst);
        if plan.wants_stale_name() {
            return self.serve_and_connect(plan);
        }
        if plan.seed.is_multiple_of(8) {
            // Before anybody else comes along: the server cleans up by itself.
            self.check_names(plan);
        }
        self.connect_at_once(plan, &name);
        let ledger = self.ledger;
        let is_settled = || {
            let (arrived, departed) = (ledger.arrived.load(SeqCst), ledger.departed.load(SeqCst));
            arrived == departed && ledger.waiting.load(SeqCst) == 0
        };
        if !until(PATIENCE, is_settled) {
            let waiting = ledger.waiting.load(SeqCst);
            let links = (ledger.arrived.load(SeqCst), ledger.departed.load(SeqCst));
            let what = format!("the server did not let go (links {links:?}, calls {waiting})");
            self.fault(plan, Fault::Hung, 1, &what);
        }
        Ok(())
    }

    pub(super) fn kill_a_server(&mut self, plan: &Plan) -> anyhow::Result<()> {
        self.ledger.reset();
        if plan.wants_stale_name() {
            self.make_stale(plan)?;
        }
        let mut victim = Process::start(&self.server_arguments(plan))?;
        let dead_client = plan.wants_dead_client();
        // Workers would clean up before the victim does.
        let is_alone = dead_client.is_some() || plan.wants_stale_name();
        if !is_alone {
            self.send_workers(plan)?;
        }
        if let Some(step) = dead_client {
            let mut arguments = self.client_arguments(plan, &self.name);
            arguments.extend(["--step", step].map(String::from));
            let mut client = Process::start(&arguments)?;
            client.dies(STEP_PATIENCE);
        }
        self.await_death(plan, &mut victim);
        self.ledger.over.store(1, SeqCst);
        if is_alone {
            self.send_workers(plan)?;
        }
        self.serve_and_connect(plan)
    }

    fn send_workers(&mut self, plan: &Plan) -> anyhow::Result<()> {
        for (worker, number) in self.workers.iter_mut().zip(0..) {
            worker.process.say(&plan.seed.wrapping_add(number).to_string())?;
        }
        Ok(())
    }

    /// Waits for the victim to kill itself, or kills it.
    fn await_death(&mut self, plan: &Plan, victim: &mut Process) {
        use std::os::unix::process::ExitStatusExt as _;
        let stall = self.ledger.stall();
        let patience = match plan.at {
            At::Moment(micros) => {
                thread::sleep(Duration::from_micros(micros));
                self.ledger.killed_at.store(ledger::now(), SeqCst);
                victim.kill();
                PATIENCE
            }
            At::Step(..) => STEP_PATIENCE,
        };
        let status = victim.dies(patience);
        if self.ledger.stall() - stall > AT_ONCE {
            eprintln!(
                "crash-sweep: the machine stood still for {:.1?}",
                self.ledger.stall() - stall
            );
            victim.kill();
            return;
        }
        match (plan.at, status) {
            (At::Step(name, _), Some(status)) if status.signal() == Some(9) => {
                self.tally.hit(name, plan.side);
            }
            (At::Moment(_), Some(status)) if status.signal() == Some(9) => {
                self.tally.moments[usize::from(plan.side == Side::Server)] += 1;
            }
            // Stopped in an orderly way before it came to the step.
            (At::Step(..), Some(status)) if status.success() => {}
            (_, Some(status)) => {
                let what = format!("the victim ended by itself: {status}");
                self.fault(plan, Fault::WrongOutcome, 1, &what);
            }
            (_, None) => {
                self.ledger.killed_at.store(ledger::now(), SeqCst);
                victim.kill();
                victim.dies(PATIENCE);
            }
        }
    }

    /// After a server's death: its name can be bound at once, and clients find the new server.
    fn serve_and_connect(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let (started, stall) = (Instant::now(), self.ledger.stall());
        let talker = Talker { ledger: self.ledger, survives: true };
        let manner = Manner { event: plan.event, ring: plan.ring, spins: plan.spins };
        let bound = station::bind(&self.name, manner);
        let took = started.elapsed().saturating_sub(self.ledger.stall() - stall);
        let running = match bound {
            Ok(server) => Some(server.serve(Station::new(talker))?),
            Err(error) => {
                self.fault(plan, Fault::Hung, 1, &format!("the name could not be bound: {error}"));
                None
            }
        };
        if took > AT_ONCE {
            self.fault(plan, Fault::Hung, 1, &format!("binding the name took {took:?}"));
        }
        if plan.side == Side::Client {
            self.connect_at_once(plan, &self.name.clone());
        } else {
            self.await_workers(plan)?;
        }
        if let Some(running) = running
            && let Err(error) = running.stop()
        {
            self.fault(plan, Fault::Hung, 1, &format!("the successor did not stop: {error}"));
        }
        let ledger = self.ledger;
        if !until(PATIENCE, || ledger.waiting.load(SeqCst) == 0) {
            let waiting = ledger.waiting.load(SeqCst);
            self.fault(plan, Fault::Hung, 1, &format!("{waiting} calls did not return"));
        }
        Ok(())
    }

    fn await_workers(&mut self, plan: &Plan) -> anyhow::Result<()> {
        for index in 0..self.workers.len() {
            let said = self.workers[index].process.line(PATIENCE + CONNECT_DEADLINE);
            if said.as_deref() == Some("done") {
                continue;
            }
            let what = said.unwrap_or_else(|| "a call did not return".into());
            self.fault(plan, Fault::Hung, 1, &format!("a client that outlived its server: {what}"));
            self.workers[index] = self.start_worker()?;
        }
        Ok(())
    }

    /// A new client is served at once; when it is, the server has seen everything from before.
    fn connect_at_once(&mut self, plan: &Plan, name: &str) {
        let (started, stall) = (Instant::now(), self.ledger.stall());
        let connect = || -> anyhow::Result<()> {
            let builder = Client::<Up>::builder(name).deadline(PATIENCE);
            let client = builder.connect_deadline(CONNECT_DEADLINE).connect()?;
            client.tick(0)?;
            client.tick(1)?;
            Ok(())
        };
        let outcome = connect();
        let took = started.elapsed().saturating_sub(self.ledger.stall() - stall);
        if let Err(error) = outcome {
            self.fault(plan, Fault::Hung, 1, &format!("no new client: {error:#}"));
        } else if took > AT_ONCE {
            self.fault(plan, Fault::Hung, 1, &format!("a new client took {took:?}"));
        }
    }

    /// Leaves what a server leaves that is killed with no client to notice. Gives the name.
    fn make_stale(&mut self, plan: &Plan) -> anyhow::Result<String> {
        let at = At::Step("bind.published", 1);
        let mut server = Process::start(&self.server_arguments(&Plan { at, ..*plan }))?;
        server.dies(STEP_PATIENCE);
        self.ledger.killed_at.store(0, SeqCst);
        Ok(self.name.clone())
    }

    fn client_arguments(&self, plan: &Plan, name: &str) -> Vec<String> {
        let mut arguments = role("victim", name, &self.descriptor);
        arguments.extend(["--seed".into(), plan.seed.to_string()]);
        if plan.spins {
            arguments.push("--spins".into());
        }
        if plan.wants_dawdling() {
            arguments.push("--dawdles".into());
        }
        if plan.side == Side::Client {
            arguments.extend(fate(plan));
        }
        arguments
    }

    fn server_arguments(&self, plan: &Plan) -> Vec<String> {
        let mut arguments = role("serve", &self.name, &self.descriptor);
        arguments.extend(["--ring".into(), plan.ring.to_string()]);
        for (flag, on) in [("--event", plan.event), ("--spins", plan.spins)] {
            if on {
                arguments.push(flag.into());
            }
        }
        if plan.wants_stop() {
            arguments.extend(["--stop-after".into(), SERVE_FOR.as_micros().to_string()]);
        }
        arguments.extend(fate(plan));
        arguments
    }
}

fn fate(plan: &Plan) -> Vec<String> {
    match plan.at {
        At::Step(name, nth) => {
            ["--step", name, "--nth", &nth.to_string()].map(String::from).to_vec()
        }
        At::Moment(_) => Vec::new(),
    }
}
