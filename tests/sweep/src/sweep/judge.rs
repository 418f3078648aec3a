//! What must hold after a trial.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::Sweep;
use crate::ledger::{Ledger, TOLD_NOT_STARTED, TOLD_REPLY};
use crate::plan::{Plan, Side};
use crate::post::until;
use crate::shm;
use crate::tally::Fault;

/// How long a name may stay: the server looks for dead claimers once a second.
const NAME_PATIENCE: Duration = Duration::from_secs(4);

/// What the sweep was like before a trial.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    disturbed: u64,
}

impl Before {
    pub(super) fn now(ledger: &Ledger) -> Self {
        Self { disturbed: ledger.disturbed.load(SeqCst) }
    }
}

impl Sweep {
    pub(super) fn judge(&mut self, plan: &Plan, before: Before) -> anyhow::Result<()> {
        for (fault, times, what) in findings(self.ledger, plan.side) {
            self.fault(plan, fault, times, &what);
        }
        let disturbed = self.ledger.disturbed.load(SeqCst) - before.disturbed;
        if disturbed > 0 {
            self.fault(plan, Fault::DisturbedOthers, disturbed, "a bystander noticed something");
        }
        self.note_notice(plan);
        self.check_names(plan);
        self.check_survivors(plan);
        Ok(())
    }

    fn note_notice(&mut self, plan: &Plan) {
        let killed = self.ledger.killed_at.load(SeqCst);
        let noticed = self.ledger.noticed_at.load(SeqCst);
        if killed == 0 || noticed <= killed {
            return;
        }
        let Plan { number, side, at, event, .. } = plan;
        let bell = if *event { "event" } else { "futex" };
        let trial = format!("trial {number}, {side:?} killed at {at:?}, {bell}");
        let notice = Duration::from_nanos(noticed - killed);
        // Asking takes a moment, which most trials need not spend.
        let is_slow = notice >= Duration::from_millis(20);
        let stall =
            if is_slow { self.ledger.stall_between(killed, noticed) } else { Duration::ZERO };
        self.tally.noticed_after(notice, stall, trial);
    }

    /// Is anything left in shared memory that was not there before?
    pub(super) fn check_names(&mut self, plan: &Plan) {
        let mut new = Vec::new();
        if !until(NAME_PATIENCE, || {
            new = shm::names();
            new.retain(|name| !self.known_names.contains(name));
            new.is_empty()
        }) {
            self.known_names.extend(new.iter().cloned());
            self.fault(plan, Fault::LeakedNames, new.len() as u64, &format!("left: {new:?}"));
        }
    }

    fn check_survivors(&mut self, plan: &Plan) {
        let complaints: Vec<String> = match plan.side {
            Side::Client if plan.wants_stale_name() => Vec::new(),
            Side::Client => self.post(plan).server.complaint().into_iter().collect(),
            Side::Server => {
                self.workers.iter_mut().filter_map(super::Survivor::complaint).collect()
            }
        };
        for what in complaints {
            self.fault(plan, Fault::LeakedFds, 1, &format!("a survivor's {what}"));
        }
    }
}

/// What the ledger says is wrong.
fn findings(ledger: &Ledger, victim: Side) -> Vec<(Fault, u64, String)> {
    let mut findings = Vec::new();
    let counts = [
        (Fault::Lost, &ledger.lost, "messages were left out"),
        (Fault::Repeated, &ledger.repeated, "messages came twice or out of order"),
        (Fault::Damaged, &ledger.damaged, "messages were damaged"),
        (Fault::WrongOutcome, &ledger.wrong_outcome, "errors that no kill explains"),
    ];
    for (fault, count, what) in counts {
        let count = count.load(SeqCst);
        if count > 0 {
            findings.push((fault, count, format!("{count} {what}")));
        }
    }
    for stream in ledger.used_streams() {
        let [attempted, sent, received] =
            [&stream.attempted, &stream.sent, &stream.received].map(|word| word.load(SeqCst));
        if received > attempted {
            let what = format!("{received} messages came of {attempted}");
            findings.push((Fault::Damaged, received - attempted, what));
        }
        // What a client's send put into the lane is the server's, whatever becomes of the client.
        if victim == Side::Client && stream.is_up.load(SeqCst) == 1 && received < sent {
            let what = format!("of {sent} messages sent, {received} came");
            findings.push((Fault::Lost, sent - received, what));
        }
    }
    for ticket in ledger.used_tickets() {
        let (ran, told) = (ticket.ran.load(SeqCst), ticket.told.load(SeqCst));
        if ran > 1 {
            findings.push((Fault::Repeated, 1, format!("a request ran {ran} times")));
        }
        if told == TOLD_NOT_STARTED && ran > 0 {
            findings.push((
                Fault::WrongOutcome,
                1,
                "a request that ran was \"not started\"".into(),
            ));
        }
        if told == TOLD_REPLY && ran == 0 {
            findings.push((Fault::WrongOutcome, 1, "a reply to a request that never ran".into()));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{self, TOLD_MAY_HAVE_RUN};

    fn faults(ledger: &Ledger, victim: Side) -> Vec<(Fault, u64)> {
        findings(ledger, victim).into_iter().map(|(fault, times, _)| (fault, times)).collect()
    }

    /// One ledger for each process, so one test after the other.
    #[test]
    fn every_kind_of_fault_is_seen() {
        let (ledger, _descriptor) = ledger::create().unwrap();
        assert_eq!(faults(ledger, Side::Client), []);

        let (number, stream) = ledger.new_stream(true).unwrap();
        stream.attempted.store(4, SeqCst);
        ledger.receive(number, 0, true);
        assert_eq!(faults(ledger, Side::Server), [], "a prefix is what a death leaves");
        ledger.receive(number, 2, true);
        assert_eq!(faults(ledger, Side::Server), [(Fault::Lost, 1)]);
        ledger.receive(number, 1, true);
        assert_eq!(faults(ledger, Side::Server), [(Fault::Lost, 1), (Fault::Repeated, 1)]);

        ledger.reset();
        let (number, stream) = ledger.new_stream(true).unwrap();
        stream.attempted.store(3, SeqCst);
        stream.sent.store(2, SeqCst);
        ledger.receive(number, 0, true);
        assert_eq!(faults(ledger, Side::Client), [(Fault::Lost, 1)], "sent, and never came");
        ledger.receive(number, 1, false);
        assert_eq!(faults(ledger, Side::Client), [(Fault::Damaged, 1)]);
        stream.attempted.store(1, SeqCst);
        stream.sent.store(1, SeqCst);
        assert_eq!(faults(ledger, Side::Client), [(Fault::Damaged, 1); 2], "never sent");

        ledger.reset();
        let (number, ticket) = ledger.new_ticket().unwrap();
        ticket.told.store(TOLD_REPLY, SeqCst);
        assert_eq!(faults(ledger, Side::Server), [(Fault::WrongOutcome, 1)]);
        ledger.run(number, true);
        assert_eq!(faults(ledger, Side::Server), []);
        ticket.told.store(TOLD_NOT_STARTED, SeqCst);
        assert_eq!(faults(ledger, Side::Server), [(Fault::WrongOutcome, 1)]);
        ticket.told.store(TOLD_MAY_HAVE_RUN, SeqCst);
        ledger.run(number, true);
        assert_eq!(faults(ledger, Side::Server), [(Fault::Repeated, 1)]);
    }
}
