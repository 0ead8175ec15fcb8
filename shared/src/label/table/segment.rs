use std::sync::Arc;

use super::FilmLabels;

/// Some of the films, in the order of their ids. Never changed: a write makes another.
#[derive(Debug, Default)]
pub(super) struct Segment {
    films: Box<[u128]>,
    /// Of each film, the place of its labels in `sets`.
    labels: Box<[u16]>,
    /// The distinct sets of labels that films here carry, of which there are few.
    sets: Box<[Arc<FilmLabels>]>,
}

/// A film whose labels have no place: there are more distinct sets than a segment can tell apart.
const NO_PLACE: u16 = u16::MAX;

/// What a film carries.
#[derive(Debug)]
pub(super) enum Carried<'a> {
    Nothing,
    Labels(&'a Arc<FilmLabels>),
    /// Labels, but nobody can tell which.
    Untold,
}

impl Segment {
    /// What a film carries.
    #[inline]
    pub(super) fn find(&self, film: u128) -> Carried<'_> {
        match self.films.binary_search(&film) {
            Ok(at) => self.labels_at(at).map_or(Carried::Untold, Carried::Labels),
            Err(_) => Carried::Nothing,
        }
    }

    fn labels_at(&self, at: usize) -> Option<&Arc<FilmLabels>> {
        self.sets.get(usize::from(*self.labels.get(at)?))
    }

    pub(super) fn len(&self) -> usize {
        self.films.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u128, &Arc<FilmLabels>)> {
        let films = self.films.iter().copied().enumerate();
        films.filter_map(|(at, film)| Some((film, self.labels_at(at)?)))
    }

    /// The same with changes: films in the order of their ids, none twice; without labels, a film is left out.
    pub(super) fn changed<'a>(
        &self,
        changes: impl Iterator<Item = (u128, Option<&'a Arc<FilmLabels>>)>,
    ) -> Self {
        let mut after = Draft::of(self.films.len());
        let mut old = self.films.iter().copied().enumerate().peekable();
        for (film, labels) in changes {
            while let Some((at, _)) = old.next_if(|(_, held)| *held < film) {
                after.keep(self, at);
            }
            old.next_if(|(_, held)| *held == film);
            if let Some(labels) = labels {
                after.add(film, Some(labels));
            }
        }
        for (at, _) in old {
            after.keep(self, at);
        }
        after.done()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.films) + size_of_val(&*self.labels) + size_of_val(&*self.sets)
    }
}

struct Draft {
    films: Vec<u128>,
    labels: Vec<u16>,
    sets: Vec<Arc<FilmLabels>>,
}

impl Draft {
    fn of(capacity: usize) -> Self {
        Self {
            films: Vec::with_capacity(capacity + 1),
            labels: Vec::with_capacity(capacity + 1),
            sets: Vec::new(),
        }
    }

    fn keep(&mut self, from: &Segment, at: usize) {
        if let Some(film) = from.films.get(at) {
            self.add(*film, from.labels_at(at));
        }
    }

    fn add(&mut self, film: u128, labels: Option<&Arc<FilmLabels>>) {
        self.films.push(film);
        let place = labels.and_then(|labels| self.place(labels));
        self.labels.push(place.unwrap_or(NO_PLACE));
    }

    fn place(&mut self, labels: &Arc<FilmLabels>) -> Option<u16> {
        // Sets are interned, so the same one is the same allocation.
        let known = self.sets.iter().position(|set| Arc::ptr_eq(set, labels));
        let at = known.unwrap_or(self.sets.len());
        let place = u16::try_from(at).ok().filter(|place| *place != NO_PLACE)?;
        if known.is_none() {
            self.sets.push(Arc::clone(labels));
        }
        Some(place)
    }

    fn done(self) -> Segment {
        Segment {
            films: self.films.into(),
            labels: self.labels.into(),
            sets: self.sets.into(),
        }
    }
}
