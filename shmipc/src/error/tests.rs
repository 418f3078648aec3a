//! What people read who print an error, each variant of each.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::io;
use std::time::Duration;

use super::*;
use crate::error::DecodeError;

const WAITED: Duration = Duration::from_nanos(5_000_136_472);

fn denied() -> io::Error {
    io::ErrorKind::PermissionDenied.into()
}

/// `Debug` starts with the sentence, names each cause once, and shows nothing of the code.
fn reads_well<E: Error + Debug + Display>(error: &E) {
    let (told, shown) = (error.to_string(), format!("{error:?}"));
    assert!(shown.starts_with(&told), "{shown}");
    assert_eq!(format!("{error:#?}"), shown);
    let mut cause = error.source();
    while let Some(inner) = cause {
        assert_eq!(shown.matches(&inner.to_string()).count(), 1, "{shown}");
        cause = inner.source();
    }
    for code in [" { ", "Error(", "waited", "000136472", "Os {"] {
        assert!(!shown.contains(code), "{code:?} in {shown}");
    }
}

/// What tells a reader what to do, or where to look.
const ADVICE: &[&str] = &[
    "choose",
    "connect with",
    "so give",
    "stop that",
    "give",
    "start",
    "build both",
    "restart",
    "make room",
    "split",
    "raise",
    "again",
    "mend",
    "retry",
    "use `",
    "must",
    "check",
    "say so",
    "report",
    "leave out",
    "at most",
    "at least",
    "from 2 to 3",
    "from 1 to 2",
    "which no operation",
    "bind in",
    "send from outside",
];

/// Every variant is among `errors`, each told in one sentence that says what to do: a new variant
/// does not compile here before it is.
macro_rules! every {
    ($errors:expr, $type:ident: $($variant:ident),* $(,)?) => {{
        let name = |error: &$type| match error {
            $($type::$variant { .. } => stringify!($variant),)*
        };
        for error in $errors.iter() {
            let text = error.to_string();
            assert!(!text.ends_with('.') && !text.contains('\n') && !text.contains("  "), "{text}");
            // Where the system failed, its own words follow.
            let advises = ADVICE.iter().any(|advice| text.contains(advice));
            assert!(advises || error.source().is_some(), "{}: {text}", name(error));
        }
        for wanted in [$(stringify!($variant)),*] {
            assert!($errors.iter().any(|error| name(error) == wanted), "{wanted} is missing here");
        }
    }};
}

#[test]
fn errors_of_binding_and_serving_read_as_sentences() {
    let name = || "shelf".to_owned();
    let bind: [BindError; 8] = [
        NameError::Empty { maximum: 128 }.into(),
        ConfigError::DoorbellOfTrust.into(),
        BindError::AlreadyServed { name: name(), pid: 7 },
        BindError::StillEnding { name: name(), pid: 7 },
        BindError::OtherUser { name: name(), uid: 1, own_uid: 2 },
        BindError::NoRoom { needed: 2, available: 1 },
        BindError::Limit { action: "make the registry", limit: Limit::Files, source: denied() },
        BindError::System { action: "open the registry", source: denied() },
    ];
    bind.iter().for_each(reads_well);
    every!(
        bind, BindError:
            Name, Config, AlreadyServed, StillEnding, OtherUser, NoRoom, Limit, System
    );
    let serve = [
        ServeError::Thread(denied()),
        ServeError::StillRunning { waited: WAITED },
        ServeError::Forked,
        ServeError::NameLost { name: name(), pid: 7 },
        ServeError::NameLeft { name: name(), uid: 1, own_uid: 2, source: denied() },
        ServeError::Panicked("boom".into()),
    ];
    serve.iter().for_each(reads_well);
    every!(serve, ServeError: Thread, StillRunning, Forked, NameLost, NameLeft, Panicked);
}

#[test]
fn errors_of_names_and_options_read_as_sentences() {
    let names = [
        NameError::Empty { maximum: 128 },
        NameError::TooLong { length: 129, maximum: 128 },
        NameError::ForbiddenCharacter { name: "a/b".into(), character: '/', offset: 1 },
    ];
    names.iter().for_each(reads_well);
    every!(names, NameError: Empty, TooLong, ForbiddenCharacter);
    let options = [
        ConfigError::RingSize { size: 1, minimum: 2, maximum: 3 },
        ConfigError::MaximumMessage { size: 1, minimum: 2, maximum: 3 },
        ConfigError::ZeroDeadline { what: "deadline" },
        ConfigError::OutOfRange { what: "max_links", value: 0, minimum: 1, maximum: 2 },
        ConfigError::DoorbellOfTrust,
        ConfigError::SpinBudget { given: WAITED, maximum: Duration::from_millis(1) },
    ];
    options.iter().for_each(reads_well);
    every!(
        options, ConfigError:
            RingSize, MaximumMessage, ZeroDeadline, OutOfRange, DoorbellOfTrust, SpinBudget
    );
}

#[test]
fn errors_of_connecting_read_as_sentences() {
    let name = || "shelf".to_owned();
    let (found, expected) = (name(), name());
    let differences = vec![Difference::Changed("Note".into()), Difference::Order];
    let errors: [ConnectError; 20] = [
        NameError::Empty { maximum: 128 }.into(),
        ConfigError::DoorbellOfTrust.into(),
        ConnectError::NoServer { name: name(), waited: WAITED, stale: true },
        ConnectError::NotAnswering { name: name(), pid: 7, waited: WAITED },
        ConnectError::OtherUser { name: name(), uid: 1, trusted_uid: 2, own_uid: 3 },
        ConnectError::NotOurs { name: name(), found: 1, expected: 2 },
        ConnectError::LayoutVersion { name: name(), found: 1, expected: 2 },
        ConnectError::Truncated { name: name(), length: 1, expected: 2 },
        ConnectError::OtherProtocol { name: name(), found, expected },
        ConnectError::OtherVersion { name: name(), protocol: "Shelf".into(), differences },
        ConnectError::Refused { name: name(), pid: 7, refusal: Refusal::TooManyLinks },
        ConnectError::Refused { name: name(), pid: 0, refusal: Refusal::NotAdmitted },
        ConnectError::Damaged { name: name(), what: "nothing is there".into() },
        ConnectError::NoRoom { needed: 2, available: 1 },
        ConnectError::Thread(denied()),
        ConnectError::System { action: "open the registry", source: denied() },
        ConnectError::LinkMemory { name: name(), needed: 2, maximum: 1 },
        ConnectError::Limit { action: "make a link", limit: Limit::Memory, source: denied() },
        ConnectError::Refused { name: name(), pid: 7, refusal: Refusal::Limit(Limit::Descriptors) },
        ConnectError::Refused { name: name(), pid: 7, refusal: Refusal::UserChanged },
    ];
    errors.iter().for_each(reads_well);
    every!(
        errors, ConnectError:
            Name, Config, NoServer, NotAnswering, OtherUser, NotOurs, LayoutVersion, Truncated,
            OtherProtocol, OtherVersion, Refused, Damaged, LinkMemory, NoRoom, Thread, Limit,
            System
    );
    assert_eq!(
        format!("{:?}", errors[2]),
        "no server named \"shelf\" within 5 s (one that died had it before); start it, or give \
         `connect_deadline` more time"
    );
    let system = format!("{:?}", errors[15]);
    assert_eq!(system, "could not open the registry: permission denied");
}

fn unsent() -> [SendError; 10] {
    [
        SendError::TooLarge { length: 2, maximum: 1 },
        SendError::Encode(refusing()),
        SendError::Deadline { waited: WAITED, pid: 7 },
        SendError::Overflow { pid: 7, queued: 9 },
        SendError::PeerGone { pid: 7, departure: Departure::Violation("a hole".into()) },
        SendError::Closed,
        SendError::NotHandled { pid: 7 },
        SendError::Forked,
        SendError::ZeroDeadline,
        SendError::InsideSerialize,
    ]
}

/// The error of a `Serialize` that refuses.
fn refusing() -> crate::error::EncodeError {
    struct Refusing;
    impl serde::Serialize for Refusing {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    match crate::codec::encode_to_vec(&Refusing, &mut Vec::new(), 100) {
        Err(crate::codec::TooLargeOr::Value(error)) => error,
        _ => panic!("it refuses"),
    }
}

#[test]
fn errors_of_sending_and_calling_read_as_sentences() {
    unsent().iter().for_each(reads_well);
    every!(
        unsent(), SendError:
            TooLarge, Encode, Deadline, Overflow, PeerGone, Closed, NotHandled, Forked,
            ZeroDeadline, InsideSerialize
    );
    for error in unsent() {
        reads_well(&SendAllError { sent: 3, error });
    }
    for error in unsent() {
        reads_well(&CallError::from(error));
    }
    let calls = [
        CallError::HandlerPanicked { message: "boom".into() },
        CallError::Rejected(Rejection::Undecodable("cut".into())),
        CallError::Rejected(Rejection::NotHandled),
        CallError::ReplyFailed { why: "too large".into() },
        CallError::UndecodableReply(DecodeError::message("cut short")),
    ];
    calls.iter().for_each(reads_well);
    let waited = CallError::Deadline { waited: WAITED, pid: 7, outcome: Outcome::NotStarted };
    let calls = calls.into_iter().chain(unsent().map(CallError::from)).collect::<Vec<_>>();
    every!(
        calls, CallError:
            NotSent, Deadline, PeerGone, HandlerPanicked, Rejected, ReplyFailed, UndecodableReply
    );
    assert_eq!(
        format!("{waited:?}"),
        "no reply from the peer (pid 7) within 5 s; the request did not start, so sending it \
         again cannot make it run twice"
    );
}
