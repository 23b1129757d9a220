//! How a combinator of a random program gets its members; shared by those that are cancelled everywhere
//! and those whose outcome is known.

use std::future::Future;
use std::pin::Pin;

use kumi_core::combine::{RaceError, gather, limited, race, race_ok, try_gather};
use kumi_core::runtime::Runtime;
use kumi_core::spawned::{Combine, SpawnedError};

/// A member.
pub type Member<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A container, or tasks.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// All in a `Vec`.
    Vec,
    /// A tuple; there are two.
    Pair,
    /// With a limit.
    Limit(usize),
    /// As tasks.
    Spawned,
}

fn pair<T>(members: Vec<T>) -> (T, T) {
    let pair: Result<[T; 2], _> = members.try_into();
    let Ok([one, two]) = pair else {
        panic!("a pair is made of two")
    };
    (one, two)
}

impl Form {
    /// What all return; tasks that were cancelled by somebody else are left out.
    ///
    /// # Cancel safety
    ///
    /// As for [`gather()`](kumi_core::combine::gather).
    ///
    /// # Panics
    ///
    /// If it is a pair, and there are not two.
    pub async fn gather<R: Runtime, T>(self, rt: &R, members: Vec<Member<T>>) -> Vec<T>
    where
        T: Send + 'static,
    {
        match self {
            Self::Vec => gather(members).await,
            Self::Pair => <[T; 2]>::from(gather(pair(members)).await).into(),
            Self::Limit(limit) => gather(members).limit(limit).await,
            Self::Spawned => rt.gather(members).await.into_iter().flatten().collect(),
        }
    }

    /// All values, or the first error; none if that is a task that was cancelled by somebody else.
    ///
    /// # Cancel safety
    ///
    /// As for [`try_gather()`](kumi_core::combine::try_gather).
    ///
    /// # Errors
    ///
    /// If a member fails.
    ///
    /// # Panics
    ///
    /// If it is a pair, and there are not two.
    pub async fn try_gather<R, T, E>(
        self,
        rt: &R,
        members: Vec<Member<Result<T, E>>>,
    ) -> Result<Vec<T>, Option<E>>
    where
        R: Runtime,
        T: Send + 'static,
        E: Send + 'static,
    {
        match self {
            Self::Vec => try_gather(members).await.map_err(Some),
            Self::Pair => {
                let values = try_gather(pair(members)).await;
                values.map(|(one, two)| vec![one, two]).map_err(Some)
            }
            Self::Limit(limit) => try_gather(members).limit(limit).await.map_err(Some),
            Self::Spawned => rt
                .try_gather(members)
                .await
                .map_err(SpawnedError::into_failed),
        }
    }

    /// What the first one returns.
    ///
    /// # Cancel safety
    ///
    /// As for [`race()`](kumi_core::combine::race).
    ///
    /// # Errors
    ///
    /// If there are none.
    ///
    /// # Panics
    ///
    /// If it is a pair, and there are not two.
    pub async fn race<R, T>(self, rt: &R, members: Vec<Member<T>>) -> Result<T, RaceError>
    where
        R: Runtime,
        T: Send + 'static,
    {
        match self {
            Self::Vec => race(members).await,
            Self::Pair => race(pair(members)).await,
            Self::Limit(limit) => race(limited(limit, members)).await,
            Self::Spawned => rt.race(members).await,
        }
    }

    /// The first value.
    ///
    /// # Cancel safety
    ///
    /// As for [`race_ok()`](kumi_core::combine::race_ok).
    ///
    /// # Errors
    ///
    /// With all errors, if all fail; tasks that were cancelled by somebody else are left out.
    ///
    /// # Panics
    ///
    /// If it is a pair, and there are not two.
    pub async fn race_ok<R, T, E>(
        self,
        rt: &R,
        members: Vec<Member<Result<T, E>>>,
    ) -> Result<T, Vec<E>>
    where
        R: Runtime,
        T: Send + 'static,
        E: Send + 'static,
    {
        match self {
            Self::Vec => race_ok(members).await,
            Self::Pair => {
                let first = race_ok(pair(members)).await;
                first.map_err(|(one, two)| vec![one, two])
            }
            Self::Limit(limit) => race_ok(limited(limit, members)).await,
            Self::Spawned => {
                let first = rt.race_ok(members).await;
                first.map_err(|errors| {
                    let errors = errors.into_iter();
                    errors.filter_map(SpawnedError::into_failed).collect()
                })
            }
        }
    }
}
