//! The server's listener: one thread that takes clients on, takes their messages in turn,
//! dispatches them, and lets go of who is gone.
//!
//! Only *active* links are looked at. A link that was quiet for a whole spin budget is parked: its
//! client then sets the link's ready bit in the registry with its next message, and that makes it
//! active again. So an idle link costs nothing, however many there are.

mod offers;

use std::sync::Arc;
use std::time::Instant;

use super::builder::OnRefused;
use super::doors::Doors;
use crate::endpoint::listener::live;
use crate::endpoint::session::{Progress, Session};
use crate::endpoint::sessions::Sessions;
use crate::error::{BindError, Departure};
use crate::link::control::Goodbye;
use crate::os::wait::{self, BLIND_SLICE, Deadline, IDLE_SLICE, LEAST_SLEEP};
use crate::segment::doorbell::Sleeper;
use crate::typed::dispatch::Service;
use crate::typed::listening::End;
use crate::typed::message::ShmMessage;
use crate::typed::server::Shared;

pub(super) struct Listener<P: ShmMessage> {
    shared: Arc<Shared>,
    service: Box<dyn Service<P>>,
    /// By link index.
    sessions: Sessions<P>,
    /// Indices of the links that are looked at, in turn.
    active: Vec<Active>,
    /// Empty between two rounds; kept so that being woken allocates nothing.
    found: Vec<usize>,
    last_id: u64,
    /// Whether clients may have offered links that were not looked at, and the slot of the last
    /// one that was.
    offered: bool,
    last_slot: usize,
    /// Whether the last look for an offer began with the doors.
    doors_next: bool,
    /// Other registries of this server: see there.
    doors: Doors,
    /// Is told whom this server does not take on.
    on_refused: Option<OnRefused>,
    /// Why the server ends that nobody stopped.
    lost: Option<End>,
    /// When the slow round (dead claimers, deaths that nobody told) was made.
    slow_round: Instant,
    /// Turns of the loop, for a look at the clock once in a while.
    turns: u32,
}

#[derive(Debug, Clone, Copy)]
struct Active {
    index: usize,
    stuck: bool,
}

impl<P: ShmMessage> Listener<P> {
    pub(super) fn new(shared: Arc<Shared>, service: Box<dyn Service<P>>) -> Self {
        Self {
            shared,
            service,
            sessions: Sessions::default(),
            active: Vec::new(),
            found: Vec::new(),
            last_id: 0,
            offered: false,
            last_slot: 0,
            doors_next: false,
            doors: Doors::default(),
            on_refused: None,
            lost: None,
            slow_round: Instant::now(),
            turns: 0,
        }
    }

    /// Has clients that are not taken on told.
    pub(super) fn telling(mut self, on_refused: Option<OnRefused>) -> Self {
        self.on_refused = on_refused;
        self
    }

    pub(super) fn run(self) {
        let shared = self.shared.clone();
        let mut lost = None;
        let is_inherited = |listener: &Self| listener.shared.is_inherited();
        let close = |listener: &mut Self, _| {
            lost = listener.lost.take();
            listener.close_all();
        };
        let Some(how) = live(self, is_inherited, Self::work, close) else { return };
        // The handler is gone before the end is told: `stop` means that.
        let left = shared.release_name();
        shared.listening.set_ended(how.and(lost.map_or(Ok(()), Err)).and(left));
    }

    fn work(&mut self) {
        while !self.shared.is_stopping() {
            self.look_for_ready();
            let busy = self.serve_active() || self.offered;
            if !busy && !self.spin() && self.park_active() {
                self.sleep();
            }
            self.slow_round();
        }
    }

    /// Makes links active that asked for it, and takes an offered one on. One a turn: opening it is
    /// work, and whoever offers many is not to keep those waiting who have a link.
    fn look_for_ready(&mut self) {
        if self.shared.registry.has_ready() {
            let mut ready = std::mem::take(&mut self.found);
            self.offered |= self.shared.registry.take_ready(|index| ready.push(index));
            self.activate_all(ready);
        }
        if self.offered {
            self.offered = self.consider_next();
        }
    }

    fn activate_all(&mut self, mut indices: Vec<usize>) {
        for index in indices.drain(..) {
            self.activate(index);
        }
        self.found = indices;
    }

    fn activate(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index) {
            session.withdraw();
            if !self.active.iter().any(|active| active.index == index) {
                self.active.push(Active { index, stuck: false });
            }
        }
    }

    /// A batch from each active link. `true`: there was something.
    fn serve_active(&mut self) -> bool {
        let mut busy = false;
        let mut position = 0;
        while let Some(active) = self.active.get_mut(position) {
            let index = active.index;
            let Some(session) = self.sessions.get_mut(index) else {
                self.active.swap_remove(position);
                continue;
            };
            match session.process(self.service.as_mut(), || self.shared.is_stopping()) {
                Progress::Busy => {
                    active.stuck = false;
                    busy = true;
                }
                Progress::Idle => active.stuck = false,
                Progress::Stuck => active.stuck = true,
                Progress::Ended(departure) => {
                    self.let_go(index, &departure);
                    continue;
                }
            }
            position += 1;
        }
        busy
    }

    /// `true`: something came within the spin budget.
    fn spin(&mut self) -> bool {
        let (shared, sessions, active) = (&self.shared, &mut self.sessions, &self.active);
        // One active peer that waits for this very processor is reason enough not to spin on it.
        let links = active.iter().filter_map(|active| sessions.get(active.index));
        let budget = links.map(|session| session.link().spin_budget()).min();
        let budget = budget.unwrap_or(shared.settings.policy.spin);
        wait::spin(budget, &mut Deadline::never(), || {
            let data = active.iter().any(|active| {
                let session = sessions.get_mut(active.index);
                !active.stuck && session.is_some_and(Session::has_data)
            });
            (data || shared.registry.has_ready() || shared.is_stopping()).then_some(())
        })
        .is_some()
    }

    /// Parks all active links. `false`: some have something to do after all.
    fn park_active(&mut self) -> bool {
        let mut position = 0;
        while let Some(active) = self.active.get(position).copied() {
            let Some(session) = self.sessions.get_mut(active.index) else {
                self.active.swap_remove(position);
                continue;
            };
            if session.park(active.stuck) {
                self.active.swap_remove(position);
            } else {
                session.withdraw();
                position += 1;
            }
        }
        self.active.is_empty()
    }

    fn sleep(&self) {
        let registry = &self.shared.registry;
        let token = registry.bell().token();
        registry.bell().sleep_unless(token, &mut registry.as_ref(), |registry| {
            let quiet = !registry.has_ready() && !self.shared.is_stopping();
            // No longer than to the next slow round, however often rings begin the sleep anew.
            let left = || self.slice().saturating_sub(self.slow_round.elapsed());
            quiet.then(|| left().max(LEAST_SLEEP))
        });
    }

    fn slice(&self) -> std::time::Duration {
        let blind = self.sessions.iter().any(|session| !session.link().is_watched());
        if blind { BLIND_SLICE } else { IDLE_SLICE }
    }

    /// Once in a while: what no bell tells.
    fn slow_round(&mut self) {
        if cfg!(loom) {
            // In models no time passes.
            return;
        }
        // A look at the clock for each busy turn of the loop would cost as much as the turn may.
        self.turns = self.turns.wrapping_add(1);
        let skip = !self.active.is_empty() && self.turns % 16 != 0;
        if skip || self.slow_round.elapsed() < self.slice() {
            return;
        }
        if self.shared.is_stopping() {
            return;
        }
        self.slow_round = Instant::now();
        for registry in self.doors.registries().chain([&self.shared.registry]) {
            registry.publish();
            registry.reap_slots();
        }
        self.keep_name();
        let mut wanting = std::mem::take(&mut self.found);
        let sessions = self.sessions.iter_mut();
        wanting.extend(
            sessions.filter_map(|(index, session)| session.wants_attention().then_some(index)),
        );
        self.activate_all(wanting);
    }

    /// Sees to it that the name leads here, or ends the server if it leads to another one.
    fn keep_name(&mut self) {
        self.doors.close_unused();
        let newest = self.doors.newest().unwrap_or(&self.shared.registry);
        if newest.is_named() || !self.doors.has_room() {
            return;
        }
        match newest.bind_again(&self.shared.settings.admission) {
            // Where no thread can be had now, the next round tries again.
            Ok(door) => {
                let hook = self.shared.settings.hook.clone();
                drop(self.doors.open(door, &self.shared.registry, hook));
            }
            Err(BindError::AlreadyServed { pid, .. }) if pid != 0 && self.is_name_lost() => {
                self.lost = Some(End::NameLost { pid });
                self.shared.stop();
            }
            // No room now, or no descriptor: as above.
            Err(_) => {}
        }
    }

    /// Does the name lead to what another server made under it, and finished?
    fn is_name_lost(&self) -> bool {
        let first = &self.shared.registry;
        let is_own = self.doors.registries().chain([first]).any(|registry| registry.is_named());
        !is_own && first.is_name_anothers()
    }

    fn let_go(&mut self, index: usize, departure: &Departure) {
        self.active.retain(|active| active.index != index);
        let Some(session) = self.sessions.take(index) else { return };
        self.doors.left(index);
        crate::step::reach("reap.departed");
        let link = session.link();
        link.close(&Goodbye::Closed, departure.clone());
        self.shared.links().remove(&link.peer().id);
        session.departed(self.service.as_mut(), departure);
    }

    fn close_all(&mut self) {
        for session in self.sessions.iter() {
            session.link().close(&Goodbye::ServerStopped, Departure::ClosedHere);
        }
        for index in 0..self.sessions.end() {
            self.let_go(index, &Departure::ClosedHere);
        }
    }
}
