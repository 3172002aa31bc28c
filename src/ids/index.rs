//! Positions in lists: each list that several rooms share has positions of a type of its own.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut, Index, IndexMut};
use std::{fmt, slice, vec};

/// A position in a list, of a type of its own.
pub trait ListIndex: Copy {
    /// The position this far from the first.
    fn new(at: usize) -> Self;

    /// Returns the distance from the first.
    fn get(self) -> usize;
}

macro_rules! index_type {
    ($(#[$about:meta])* pub struct $name:ident;) => {
        $(#[$about])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(usize);

        impl $name {
            /// The first of all.
            pub const FIRST: Self = Self(0);

            /// The position this far from the first.
            #[must_use]
            pub const fn new(at: usize) -> Self {
                Self(at)
            }

            /// Returns the distance from the first.
            #[must_use]
            pub const fn get(self) -> usize {
                self.0
            }
        }

        impl ListIndex for $name {
            fn new(at: usize) -> Self {
                Self(at)
            }

            fn get(self) -> usize {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

index_type! {
    /// A step of a plan: a restore, or one of its instances where it has a `for_each`.
    pub struct StepIndex;
}

index_type! {
    /// A restore as the plan file has it: all instances of its `for_each` together.
    pub struct DocumentIndex;
}

index_type! {
    /// A target of a plan.
    pub struct TargetIndex;
}

index_type! {
    /// A target that a run has or had: a plan may get other targets while its run goes on.
    pub struct PlaceIndex;
}

/// A list in which things are found by positions of its own type, and not by those of another list.
///
/// ```compile_fail
/// use redrill::ids::{Indexed, StepIndex, TargetIndex};
/// let targets: Indexed<TargetIndex, &str> = Indexed::from(vec!["here"]);
/// targets[StepIndex::new(0)];
/// ```
///
/// ```compile_fail
/// use redrill::ids::{Indexed, TargetIndex};
/// let targets: Indexed<TargetIndex, &str> = Indexed::from(vec!["here"]);
/// targets[0];
/// ```
///
/// ```
/// use redrill::ids::{Indexed, TargetIndex};
/// let targets: Indexed<TargetIndex, &str> = Indexed::from(vec!["here"]);
/// assert_eq!(targets[TargetIndex::new(0)], "here");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indexed<I, T> {
    all: Vec<T>,
    positions: PhantomData<I>,
}

impl<I: ListIndex, T> Indexed<I, T> {
    /// Returns the item at a position, if there is such a position.
    #[must_use]
    pub fn get(&self, at: I) -> Option<&T> {
        self.all.get(at.get())
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, at: I) -> Option<&mut T> {
        self.all.get_mut(at.get())
    }

    /// Everything, by number.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.all
    }

    /// Gives memory back that is not needed.
    pub fn shrink_to_fit(&mut self) {
        self.all.shrink_to_fit();
    }

    /// Finds the position of the first item that is wanted.
    pub fn position(&self, is_wanted: impl FnMut(&T) -> bool) -> Option<I> {
        self.all.iter().position(is_wanted).map(I::new)
    }

    /// All positions, in their order.
    pub fn positions(&self) -> impl DoubleEndedIterator<Item = I> + ExactSizeIterator + use<I, T> {
        (0..self.all.len()).map(I::new)
    }

    /// Everything with its position.
    pub fn enumerated(&self) -> impl DoubleEndedIterator<Item = (I, &T)> {
        let all = self.all.iter().enumerate();
        all.map(|(at, of)| (I::new(at), of))
    }

    /// The same, to change it.
    pub fn enumerated_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        let all = self.all.iter_mut().enumerate();
        all.map(|(at, of)| (I::new(at), of))
    }

    /// Makes it a list of so many that are all the same, in the memory that it has.
    pub fn refill(&mut self, count: usize, of: T)
    where
        T: Clone,
    {
        self.all.clear();
        self.all.resize(count, of);
    }

    /// Appends something; where it is then.
    pub fn push(&mut self, of: T) -> I {
        self.all.push(of);
        I::new(self.all.len() - 1)
    }
}

impl<I, T> Default for Indexed<I, T> {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl<I, T> From<Vec<T>> for Indexed<I, T> {
    fn from(all: Vec<T>) -> Self {
        Self {
            all,
            positions: PhantomData,
        }
    }
}

impl<I, T> FromIterator<T> for Indexed<I, T> {
    fn from_iter<A: IntoIterator<Item = T>>(all: A) -> Self {
        Self::from(Vec::from_iter(all))
    }
}

// Whoever needs no positions reads it as a slice.
impl<I, T> Deref for Indexed<I, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.all
    }
}

impl<I, T> DerefMut for Indexed<I, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.all
    }
}

impl<I: ListIndex, T> Index<I> for Indexed<I, T> {
    type Output = T;

    fn index(&self, at: I) -> &T {
        &self.all[at.get()]
    }
}

impl<I: ListIndex, T> IndexMut<I> for Indexed<I, T> {
    fn index_mut(&mut self, at: I) -> &mut T {
        &mut self.all[at.get()]
    }
}

impl<'a, I, T> IntoIterator for &'a Indexed<I, T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.iter()
    }
}

impl<'a, I, T> IntoIterator for &'a mut Indexed<I, T> {
    type Item = &'a mut T;
    type IntoIter = slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.iter_mut()
    }
}

impl<I, T> IntoIterator for Indexed<I, T> {
    type Item = T;
    type IntoIter = vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}
