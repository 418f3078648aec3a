//! A server's sessions by their links' indices, which stay what they are while a link lives.

use super::session::Session;
use crate::typed::message::ShmMessage;

/// Sessions in places; a place that is free is used again.
pub(super) struct Sessions<P: ShmMessage>(Vec<Option<Session<P>>>);

impl<P: ShmMessage> Default for Sessions<P> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<P: ShmMessage> Sessions<P> {
    pub(super) fn get(&self, index: usize) -> Option<&Session<P>> {
        self.0.get(index)?.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Session<P>> {
        self.0.get_mut(index)?.as_mut()
    }

    /// The first free index.
    pub(super) fn free(&self) -> usize {
        self.0.iter().position(Option::is_none).unwrap_or(self.0.len())
    }

    /// Puts a session to a free index, as [`free`](Self::free) gave it.
    pub(super) fn put(&mut self, index: usize, session: Session<P>) {
        if index >= self.0.len() {
            self.0.resize_with(index + 1, || None);
        }
        if let Some(place) = self.0.get_mut(index) {
            *place = Some(session);
        }
    }

    pub(super) fn take(&mut self, index: usize) -> Option<Session<P>> {
        self.0.get_mut(index)?.take()
    }

    /// Above every index that is in use.
    pub(super) fn end(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Session<P>> {
        self.0.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Session<P>)> {
        let places = self.0.iter_mut().enumerate();
        places.filter_map(|(index, place)| Some((index, place.as_mut()?)))
    }
}
