use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;

use super::super::{Definition, LabelChange, LabelName};
use crate::role::RoleSet;

/// What each label asks, as of one moment.
#[derive(Debug)]
pub struct Definitions {
    generation: u64,
    /// By slot. A name keeps its slot for as long as the table lives, defined or not.
    slots: Vec<Option<(LabelName, Definition)>>,
    /// The slots of the labels that there are, by name.
    by_name: Vec<usize>,
    anonymous: Satisfied,
    all: Satisfied,
}

/// The labels that somebody satisfies, by some definitions.
#[derive(Clone, Debug)]
pub struct Satisfied {
    generation: u64,
    /// A bit for each slot.
    bits: Box<[u64]>,
    names: HeaderValue,
}

impl Satisfied {
    fn of(generation: u64, held: impl Iterator<Item = (usize, String)>) -> Self {
        let (mut bits, mut names) = (Vec::new(), Vec::new());
        for (slot, name) in held {
            if bits.len() <= slot / 64 {
                bits.resize(slot / 64 + 1, 0_u64);
            }
            if let Some(word) = bits.get_mut(slot / 64) {
                *word |= 1 << (slot % 64);
            }
            names.push(name);
        }
        Self {
            generation,
            bits: bits.into(),
            // Label names are visible ASCII.
            names: HeaderValue::from_str(&names.join(",")).unwrap_or(HeaderValue::from_static("")),
        }
    }

    /// The generation of the definitions that this was made by: it is good as long as that is theirs.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The names, in order, parted by commas.
    pub fn names(&self) -> &HeaderValue {
        &self.names
    }

    /// Bytes on the heap.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&*self.bits) + self.names.len()
    }

    #[inline]
    pub(super) fn has_all(&self, slots: &[usize]) -> bool {
        slots.iter().all(|slot| {
            self.bits
                .get(slot / 64)
                .is_some_and(|word| word & (1 << (slot % 64)) != 0)
        })
    }
}

impl Default for Definitions {
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

impl Definitions {
    fn of(slots: Vec<Option<(LabelName, Definition)>>) -> Self {
        // Of all tables: what was worked out by the definitions of one must not count for another's.
        static GENERATION: AtomicU64 = AtomicU64::new(1);
        let generation = GENERATION.fetch_add(1, Ordering::Relaxed);
        let mut by_name: Vec<(LabelName, usize)> = slots
            .iter()
            .enumerate()
            .filter_map(|(slot, held)| Some((held.as_ref()?.0.clone(), slot)))
            .collect();
        by_name.sort_unstable();
        let mut definitions = Self {
            generation,
            slots,
            by_name: by_name.into_iter().map(|(_, slot)| slot).collect(),
            anonymous: Satisfied::of(generation, std::iter::empty()),
            all: Satisfied::of(generation, std::iter::empty()),
        };
        definitions.anonymous = definitions.satisfied(|definition| definition.anonymous);
        definitions.all = definitions.satisfied(|_| true);
        definitions
    }

    fn satisfied(&self, is_met: impl Fn(&Definition) -> bool) -> Satisfied {
        let met = self.by_name.iter().filter_map(|slot| {
            let (name, definition) = self.slots.get(*slot)?.as_ref()?;
            is_met(definition).then(|| (*slot, name.as_str().to_owned()))
        });
        Satisfied::of(self.generation, met)
    }

    /// What tells these definitions from all others.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What anonymous callers satisfy.
    #[inline]
    pub fn anonymous(&self) -> &Satisfied {
        &self.anonymous
    }

    /// Every label: what superusers satisfy.
    pub fn all(&self) -> &Satisfied {
        &self.all
    }

    /// What somebody with these roles satisfies.
    pub fn satisfied_by(&self, roles: &RoleSet) -> Satisfied {
        self.satisfied(|definition| {
            definition.anonymous || definition.roles.iter().any(|role| roles.contains(&role.name))
        })
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(super) fn for_each(&self, mut take: impl FnMut(LabelChange)) {
        for (name, definition) in self.slots.iter().flatten() {
            take(LabelChange::Definition {
                name: name.clone(),
                definition: Some(definition.clone()),
            });
        }
    }

    /// The same with changes, of which those of films are not looked at.
    pub(super) fn changed(
        &self,
        changes: &[LabelChange],
        mut slot_of: impl FnMut(&LabelName) -> usize,
    ) -> Self {
        let mut slots = self.slots.clone();
        for change in changes {
            match change {
                LabelChange::Film { .. } => {}
                LabelChange::Definition { name, definition } => {
                    let slot = slot_of(name);
                    if slots.len() <= slot {
                        slots.resize(slot + 1, None);
                    }
                    if let Some(held) = slots.get_mut(slot) {
                        *held = definition.clone().map(|definition| (name.clone(), definition));
                    }
                }
            }
        }
        Self::of(slots)
    }
}
