//! Layer: the hand-over. Who is connected. A vector, because an index is the fastest map there is.
//!
//! This file is the same in stages 3, 4 and 5.

use crate::effects::ClientId;

/// One `T` for each client.
#[derive(Debug)]
pub struct Table<T> {
    /// Indexed by `ClientId`; `None` is a free place.
    places: Vec<Option<T>>,
    /// The free places, in no order. The table never has more places than there were clients at once.
    free: Vec<ClientId>,
}

impl<T> Table<T> {
    pub fn new() -> Table<T> {
        Table { places: Vec::new(), free: Vec::new() }
    }

    /// Gives a newcomer its place.
    pub fn insert(&mut self, client: T) -> ClientId {
        match self.free.pop() {
            Some(place) => {
                self.places[place.0] = Some(client);
                place
            }
            None => {
                self.places.push(Some(client));
                ClientId(self.places.len() - 1)
            }
        }
    }

    pub fn get_mut(&mut self, client: ClientId) -> Option<&mut T> {
        self.places.get_mut(client.0)?.as_mut()
    }

    /// Takes a client out. Its place is free, and `None` comes from a second call.
    pub fn remove(&mut self, client: ClientId) -> Option<T> {
        let taken = self.places.get_mut(client.0)?.take()?;
        self.free.push(client);
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_again_when_its_client_has_left() {
        let mut table = Table::new();
        let ann = table.insert("ann");
        let bob = table.insert("bob");
        assert_eq!(table.remove(ann), Some("ann"));
        assert_eq!(table.get_mut(ann), None);
        assert_eq!(table.insert("cem"), ann);
        assert_eq!(table.get_mut(bob), Some(&mut "bob"));
    }

    #[test]
    fn who_leaves_twice_frees_one_place() {
        let mut table = Table::new();
        let ann = table.insert("ann");
        table.remove(ann);
        assert_eq!(table.remove(ann), None);
        assert_ne!(table.insert("bob"), table.insert("cem"));
    }
}
