//! Live data: a process that measures this machine a thousand times a second, and windows that plot
//! the newest. What a window cannot show in time it skips, and says how much.

mod machine;
mod protocol;
mod series;
mod source;
mod view;
mod watcher;
mod window;

pub use protocol::{Gauge, Machine, Reading, Sample};
pub use source::serve;
pub use window::GaugeWindow;
