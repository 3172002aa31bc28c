//! Many questions at once, with their answers in order.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Questions under way at once: at AWS's rates, more than its answers take.
const AT_ONCE: usize = 32;

/// Asks many questions, several at once, and takes their answers in the order of the questions, as if one had been asked
/// after the other.
///
/// # Errors
///
/// The first, in that order. Nothing more is asked once there is one, and nothing behind it is taken.
pub async fn ask_all<T, E, F>(
    questions: impl IntoIterator<Item = F>,
    mut take: impl FnMut(T),
) -> Result<(), E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut asking = ConcurrentQuestions {
        questions: questions.into_iter().enumerate(),
        under_way: Vec::new(),
        answered: BTreeMap::new(),
        has_failed: false,
    };
    let mut next = 0;
    loop {
        std::future::poll_fn(|context| asking.poll(context)).await;
        while let Some(answer) = asking.answered.remove(&next) {
            take(answer?);
            next += 1;
        }
        if asking.under_way.is_empty() {
            return Ok(());
        }
    }
}

struct ConcurrentQuestions<I, F, T, E> {
    questions: std::iter::Enumerate<I>,
    /// By their places.
    under_way: Vec<(usize, Pin<Box<F>>)>,
    answered: BTreeMap<usize, Result<T, E>>,
    has_failed: bool,
}

impl<I, F, T, E> ConcurrentQuestions<I, F, T, E>
where
    I: Iterator<Item = F>,
    F: Future<Output = Result<T, E>>,
{
    /// Until something is answered, or nothing is under way.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let before = self.answered.len();
        // Answers make room for more questions.
        loop {
            let room = match self.has_failed {
                true => 0,
                false => AT_ONCE - self.under_way.len(),
            };
            let more = self.questions.by_ref().take(room);
            self.under_way
                .extend(more.map(|(at, question)| (at, Box::pin(question))));
            let count = self.under_way.len();
            let (answered, has_failed) = (&mut self.answered, &mut self.has_failed);
            self.under_way.retain_mut(|(at, question)| {
                let Poll::Ready(answer) = question.as_mut().poll(context) else {
                    return true;
                };
                *has_failed |= answer.is_err();
                answered.insert(*at, answer);
                false
            });
            if self.under_way.len() == count {
                break;
            }
        }
        match self.under_way.is_empty() || self.answered.len() > before {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tokio::sync::{Barrier, oneshot};

    use super::*;

    #[tokio::test]
    async fn answers_come_in_the_order_of_the_questions() {
        let mut senders = Vec::new();
        let mut receivers = Vec::new();
        for _ in 0..100 {
            let (sender, receiver) = oneshot::channel();
            senders.push(Some(sender));
            receivers.push(receiver);
        }
        let (under_way, most) = (Cell::new(0), Cell::new(0));
        let senders = RefCell::new(senders);
        let questions = receivers.into_iter().enumerate().map(|(at, receiver)| {
            let (under_way, most, senders) = (&under_way, &most, &senders);
            async move {
                under_way.set(under_way.get() + 1);
                most.set(under_way.get().max(most.get()));
                // The last that is under way is answered first.
                let last = under_way.get() == AT_ONCE || at == 99;
                if last {
                    for sender in senders.borrow_mut()[..=at].iter_mut().rev() {
                        if let Some(sender) = sender.take() {
                            sender.send(()).unwrap();
                        }
                    }
                }
                receiver.await.unwrap();
                under_way.set(under_way.get() - 1);
                Ok::<usize, ()>(at)
            }
        });
        let mut taken = Vec::new();
        ask_all(questions, |at| taken.push(at)).await.unwrap();
        assert_eq!(taken, (0..100).collect::<Vec<_>>());
        assert_eq!((most.get(), under_way.get()), (AT_ONCE, 0));
    }

    #[tokio::test]
    async fn the_first_error_is_the_first_in_order_and_ends_it() {
        let both = Barrier::new(2);
        let asked = Cell::new(0);
        let questions = (0..1000).map(|at| {
            let (both, asked) = (&both, &asked);
            async move {
                asked.set(asked.get() + 1);
                match at {
                    // The earlier one fails after the later one has.
                    3 => {
                        both.wait().await;
                        tokio::task::yield_now().await;
                        Err("three")
                    }
                    10 => {
                        both.wait().await;
                        Err("ten")
                    }
                    at => Ok(at),
                }
            }
        });
        let mut taken = Vec::new();
        let ended = ask_all(questions, |at| taken.push(at)).await;
        assert_eq!(ended, Err("three"));
        assert_eq!(taken, [0, 1, 2]);
        assert!(asked.get() < 200, "{}", asked.get());
    }

    #[tokio::test]
    async fn what_is_answered_all_at_once_is_not_the_end() {
        let all = Barrier::new(AT_ONCE);
        let questions = (0..AT_ONCE * 3).map(|at| {
            let all = &all;
            async move {
                all.wait().await;
                Ok::<usize, ()>(at)
            }
        });
        let mut taken = Vec::new();
        ask_all(questions, |at| taken.push(at)).await.unwrap();
        assert_eq!(taken, (0..AT_ONCE * 3).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn nothing_to_ask_is_answered() {
        let none = std::iter::empty::<std::future::Ready<Result<(), ()>>>();
        assert_eq!(ask_all(none, |()| {}).await, Ok(()));
        let many = (0..10_000).map(|at| std::future::ready(Ok::<usize, ()>(at)));
        let mut sum = 0;
        ask_all(many, |at| sum += at).await.unwrap();
        assert_eq!(sum, 49_995_000);
    }
}
