//! Why a link was not taken on: what its client is told, and what the server's owner.

use crate::error::{Limit, Refusal, Refused};
use crate::os;
use crate::segment::SegmentError;
use crate::segment::admission::Admission;
use crate::segment::link::LinkFault;

/// All places are taken.
pub(super) fn too_many(maximum: usize) -> Refused {
    let cause = format!("there are {maximum} links, as many as `max_links` allows");
    Refused { refusal: Refusal::TooManyLinks, uid: None, cause }
}

/// `owner`: the user who bound the name.
pub(super) fn told(fault: &LinkFault, admission: &Admission, owner: u32) -> Refused {
    let (refusal, uid) = match fault {
        LinkFault::TooLarge { .. } => (Refusal::TooLarge, None),
        LinkFault::Damaged(_) => (Refusal::BadLink, None),
        LinkFault::Segment(error) => of_segment(error, admission, owner),
    };
    let mut cause = fault.to_string();
    if let Refusal::Limit(limit) = refusal {
        cause = format!("{cause}: {limit}");
    }
    Refused { refusal, uid, cause }
}

fn of_segment(error: &SegmentError, admission: &Admission, owner: u32) -> (Refusal, Option<u32>) {
    match error {
        // Somebody who gets in, and whose link is closed to whom this process is of by now.
        SegmentError::OtherUser { uid }
            if os::effective_uid() != owner && admission.may_admit(*uid, owner) =>
        {
            (Refusal::UserChanged, Some(*uid))
        }
        SegmentError::OtherUser { uid } => (Refusal::NotAdmitted, Some(*uid)),
        SegmentError::OpenToOthers { uid } => (Refusal::BadLink, Some(*uid)),
        SegmentError::System { source, .. } => {
            (Limit::of(source).map_or(Refusal::BadLink, Refusal::Limit), None)
        }
        _ => (Refusal::BadLink, None),
    }
}
