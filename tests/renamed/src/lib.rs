//! The derive finds the library under the name that this package gives it, without `#[shm(crate =
//! …)]`; in doc tests too, whose compiler gets its arguments in a file:
//!
//! ```
//! #[derive(serde::Serialize, serde::Deserialize, ipc::ShmMessage)]
//! enum Lamp {
//!     Toggle,
//! }
//! # fn main() {}
//! ```

use ipc::ShmMessage;
use serde::{Deserialize, Serialize};

/// A protocol like any other.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = News)]
pub enum Calc {
    /// A notice.
    Clear,
    /// A request.
    #[shm(reply = u32)]
    Add(u32),
}

/// What the server says.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum News {
    /// The sum is another one.
    Changed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc::{Context, Local};

    struct Sum(u32);

    impl CalcHandler for Sum {
        fn clear(&mut self, _cx: &Context<Calc>) {
            self.0 = 0;
        }

        fn add(&mut self, _cx: &Context<Calc>, value: u32) -> u32 {
            self.0 += value;
            self.0
        }
    }

    #[test]
    fn a_renamed_dependency_is_found() {
        let sum = Local::<Calc, _>::new(Sum(7));
        sum.clear().expect("it is handled");
        assert_eq!(sum.add(2).expect("it is answered"), 2);
        assert_eq!(<Calc as ShmMessage>::Events::NAME, "News");
    }
}
