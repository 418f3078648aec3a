//! What the parser cannot see node by node: names that clash, and types that cannot travel.

mod lifetimes;
mod methods;
mod serde;

use crate::errors::Errors;
use crate::parse::ast::Protocol;

/// Checks the whole enum and gives each variant its method. `false` where generated code would only
/// add errors to those reported.
#[must_use]
pub(crate) fn check(protocol: &mut Protocol, errors: &mut Errors) -> bool {
    methods::assign(&mut protocol.variants, errors);
    let decodable = lifetimes::check(protocol, errors);
    serde::check(protocol, errors);
    decodable
}
