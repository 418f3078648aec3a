//! What a rival must be able to do.

use anyhow::{Result, bail};

use crate::{Confirmed, End, Plan};

/// One way for two processes to talk.
pub trait Rival {
    /// A client's connection.
    type Link: Link;

    /// The server's side, on the main thread: says that it is ready through `end`, then serves
    /// until [`End::has_come`]. It may as well never return; it is ended then, without
    /// destructors.
    ///
    /// # Errors
    /// It cannot serve.
    fn serve(&self, plan: &Plan, end: &End) -> Result<()>;

    /// The client's side.
    ///
    /// # Errors
    /// It cannot connect.
    fn connect(&self, plan: &Plan) -> Result<Self::Link>;
}

/// A client's connection. What a rival has no use for it does not implement.
pub trait Link {
    /// Sends `Ask { number, text }` and checks its reply with [`check_reply`](crate::check_reply).
    ///
    /// # Errors
    /// It did not come back as it was sent.
    fn round_trip(&mut self, number: u64, text: &str) -> Result<()> {
        let _ = (number, text);
        bail!("has no round trips")
    }

    /// Sends `Note { number, text }`.
    ///
    /// # Errors
    /// It could not be sent.
    fn note(&mut self, number: u64, text: &str) -> Result<()> {
        let _ = (number, text);
        bail!("has no notices")
    }

    /// Makes the sender's blob: whatever [`blob`](Self::blob) wants to send from.
    fn prepare_blob(&mut self, bytes: Vec<u8>) {
        let _ = bytes;
    }

    /// Finds its best tuning, where a limit is to be measured.
    ///
    /// # Errors
    /// It cannot measure.
    fn tune(&mut self) -> Result<()> {
        Ok(())
    }

    /// Stamps the blob with this number and sends it.
    ///
    /// # Errors
    /// It could not be sent.
    fn blob(&mut self, number: u64) -> Result<()> {
        let _ = number;
        bail!("has no blobs")
    }

    /// Sends out what is still held back and asks what came of all notices of this client.
    ///
    /// # Errors
    /// It cannot be asked.
    fn confirm(&mut self, client: u64) -> Result<Confirmed> {
        let _ = client;
        bail!("has no notices")
    }
}
