//! Things at places, which stay the same while the thing is there.

/// Things at small numbers. The place of one that was removed is given to another.
#[derive(Debug)]
pub(super) struct Slots<T> {
    things: Vec<Option<T>>,
    vacant: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots { things: Vec::new(), vacant: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// Adds a thing, and returns its place.
    ///
    /// # Panics
    /// With more than 2^32 things.
    pub(super) fn add(&mut self, thing: T) -> u32 {
        if let Some(place) = self.vacant.pop() {
            self.things[place as usize] = Some(thing);
            return place;
        }
        self.things.push(Some(thing));
        u32::try_from(self.things.len() - 1).expect("fewer than 2^32 things")
    }

    /// The thing at a place.
    ///
    /// # Panics
    /// If nothing is there.
    #[inline]
    pub(super) fn get_mut(&mut self, place: u32) -> &mut T {
        self.things[place as usize].as_mut().expect("it is there")
    }

    /// Removes the thing at a place, if one is there.
    pub(super) fn remove(&mut self, place: u32) -> Option<T> {
        let removed = self.things.get_mut(place as usize)?.take()?;
        self.vacant.push(place);
        Some(removed)
    }
}
