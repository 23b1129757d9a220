//! `Limiter` (Trio's and AnyIO's `CapacityLimiter`, PR6).

use fastrand::Rng;
use kumi::sync::{Limiter, Token};

use super::{Hand, now};

/// More tokens are handed out at once to those who wait.
#[test]
fn a_higher_total_wakes_those_who_wait() {
    let limiter = Limiter::new(0);
    let [first, second, third] = [(); 3].map(|()| Hand::waiting(limiter.acquire()));
    limiter.set_total(2);
    let tokens = (first.given(), second.given());
    assert!(!third.is_woken());
    assert_eq!((limiter.total(), limiter.borrowed()), (2, 2));
    drop(tokens);
    drop(third.given());
    assert_eq!(limiter.available(), 2);
}

/// Fewer take nothing away from those who have one.
#[test]
fn a_lower_total_revokes_nothing() {
    let limiter = Limiter::new(3);
    let mut tokens: Vec<Token> = (0..3).map(|_| now(limiter.acquire())).collect();
    limiter.set_total(1);
    assert_eq!(limiter.borrowed(), 3);
    let waiting = Hand::waiting(limiter.acquire());
    tokens.pop();
    tokens.pop();
    assert!(!waiting.is_woken());
    tokens.pop();
    drop(waiting.given());
    assert_eq!(limiter.available(), 1);
}

/// A token that was handed over to one who goes away is not put back if there are to be fewer.
#[test]
fn a_lower_total_beside_one_who_goes_away() {
    let limiter = Limiter::new(1);
    let token = now(limiter.acquire());
    let waiting = Hand::waiting(limiter.acquire());
    drop(token);
    limiter.set_total(0);
    drop(waiting);
    assert_eq!((limiter.available(), limiter.borrowed()), (0, 0));
    assert!(limiter.try_acquire().is_none());
    limiter.set_total(1);
    assert!(limiter.try_acquire().is_some());
}

/// Without end, and back.
#[test]
fn without_a_limit() {
    let limiter = Limiter::new(2);
    let tokens: Vec<_> = (0..2).map(|_| now(limiter.acquire())).collect();
    limiter.set_total(Limiter::UNLIMITED);
    let more: Vec<_> = (0..1_000).map(|_| limiter.try_acquire().unwrap()).collect();
    limiter.set_total(2);
    assert!(limiter.try_acquire().is_none());
    drop(more);
    assert!(limiter.try_acquire().is_none());
    drop(tokens);
    assert_eq!(limiter.available(), 2);
}

/// Random calls, against a model: in turn, never more than the total at the time of lending.
#[test]
fn as_the_model_says() {
    for seed in 0..200_u64 {
        let mut random = Rng::with_seed(seed);
        let mut below = |bound: usize| random.usize(..bound);
        let limiter = Limiter::new(2);
        let (mut total, mut tokens, mut before) = (2_usize, Vec::new(), 0);
        // Who waits, in turn; and whether each was handed a token.
        let mut waiting: Vec<Hand<'_, Token>> = Vec::new();
        for _ in 0..200 {
            match below(6) {
                0 => {
                    let mut hand = Hand::new(limiter.acquire());
                    match hand.poll() {
                        Some(token) => tokens.push(token),
                        None => waiting.push(hand),
                    }
                }
                1 => tokens.extend(limiter.try_acquire()),
                2 if !tokens.is_empty() => drop(tokens.swap_remove(below(tokens.len()))),
                3 if !waiting.is_empty() => drop(waiting.remove(below(waiting.len()))),
                4 => {
                    total = below(5);
                    limiter.set_total(total);
                }
                _ => {
                    if waiting.first().is_some_and(Hand::is_woken) {
                        tokens.push(waiting.remove(0).given());
                    }
                }
            }
            let handed = waiting.iter().filter(|hand| hand.is_woken()).count();
            let out = tokens.len() + handed;
            let in_turn = waiting.iter().is_sorted_by_key(|hand| !hand.is_woken());
            assert!(in_turn, "somebody was overtaken, seed {seed}");
            assert!(out <= total.max(before), "one too many, seed {seed}");
            before = out;
            assert_eq!(limiter.borrowed(), tokens.len());
            assert_eq!(
                limiter.available(),
                total.saturating_sub(out),
                "seed {seed}"
            );
            assert!(
                waiting.len() == handed || out >= total,
                "somebody waits for what is there, seed {seed}"
            );
        }
    }
}
