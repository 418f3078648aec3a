//! What runs parts of the crate from outside: model checking, fuzzing, the layout's page. Nothing
//! of it is in what programs get.

#[cfg(all(any(fuzzing, test), not(loom)))]
pub(crate) mod fuzz;
#[cfg(all(test, not(loom)))]
pub(crate) mod layout_page;
#[cfg(all(test, loom))]
mod models;
