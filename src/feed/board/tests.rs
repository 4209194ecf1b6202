//! The board on its own.

use std::collections::HashMap;
use std::time::Duration;

use chrono::DateTime;
use proptest::prelude::*;
use rstest::rstest;
use rust_decimal::dec;
use tokio::time::timeout;

use super::*;

fn quote(name: &str, second: i64, seq: Option<u64>) -> Quote {
    let time = DateTime::from_timestamp(second, 0).unwrap();
    Quote::new(InstrumentId::new(name), dec!(1.1), dec!(1.2), time, seq).unwrap()
}

#[rstest]
#[case::next(quote("X", 5, Some(11)), Put::Taken)]
#[case::next_though_its_time_is_older(quote("X", 1, Some(11)), Put::Taken)]
#[case::ahead(quote("X", 6, Some(14)), Put::TakenAfterGap(3))]
#[case::same(quote("X", 5, Some(10)), Put::Duplicate)]
#[case::before(quote("X", 4, Some(9)), Put::Old)]
#[case::before_at_the_same_time(quote("X", 5, Some(9)), Put::Old)]
#[case::counting_again(quote("X", 6, Some(1)), Put::TakenAfterRestart)]
#[case::counting_again_at_the_same_number(quote("X", 6, Some(10)), Put::TakenAfterRestart)]
#[case::uncounted(quote("X", 1, None), Put::Taken)]
#[case::another_instrument(quote("Y", 1, Some(1)), Put::Taken)]
fn a_quote_after_number_10_at_second_5_is_classified(#[case] next: Quote, #[case] put: Put) {
    let board = Board::new();
    assert_eq!(board.put(quote("X", 5, Some(10))), Put::Taken);
    assert_eq!(board.put(next), put);
}

#[test]
fn a_quote_without_a_number_causes_no_gap() {
    let board = Board::new();
    let puts = [Some(1), None, Some(2)].map(|seq| board.put(quote("X", 1, seq)));
    assert_eq!(puts, [Put::Taken; 3]);
}

#[test]
fn single_old_quotes_never_count_as_a_restart() {
    let board = Board::new();
    board.put(quote("X", 100, Some(100)));
    for seq in [1, 2, 3, 4, 1, 2, 3, 4, 9, 8, 7, 6, 5] {
        assert_eq!(board.put(quote("X", 1, Some(seq))), Put::Old);
    }
    // One good quote in between, and the row begins again.
    let row = [6, 7, 8, 9].map(|seq| board.put(quote("X", 1, Some(seq))));
    assert_eq!(row, [Put::Old, Put::Old, Put::Old, Put::TakenAfterRestart]);
}

#[test]
fn dropped_messages_are_counted_in_bounded_memory() {
    let board = Board::new();
    for number in 0..10_000 {
        board.count_dropped(&format!("events:{number}"), Dropped::NotJson);
        board.count_dropped("events:0", Dropped::TooDeep);
    }
    let counters = board.counters();
    assert_eq!((counters.received, counters.dropped), (20_000, 20_000));
    assert_eq!(counters.reasons.values().sum::<u64>(), 20_000);
    assert_eq!(counters.reasons[&("events:0".to_owned(), Dropped::TooDeep)], 10_000);
    assert!(counters.reasons.contains_key(&(OTHER_CHANNELS.to_owned(), Dropped::NotJson)));
    assert!(counters.reasons.len() <= MOST_CHANNELS + 2);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_first_change() {
    let board = Board::new();
    let soon = Duration::from_secs(1);
    assert!(timeout(soon, board.changed()).await.is_err(), "nothing came");
    board.put(quote("X", 1, Some(1)));
    assert!(timeout(soon, board.changed()).await.is_ok());
    assert!(timeout(soon, board.changed()).await.is_ok(), "it was not drained yet");
    board.drain();
    board.put(quote("X", 1, Some(1)));
    assert!(timeout(soon, board.changed()).await.is_err(), "a duplicate changes nothing");
}

proptest! {
    #[test]
    fn counters_add_up_and_drained_quotes_are_the_newest_accepted(
        steps in prop::collection::vec((0..4_u8, 0..6_i64, prop::option::of(0..12_u64), any::<bool>()), 0..200),
    ) {
        let board = Board::new();
        let mut last: HashMap<InstrumentId, Quote> = HashMap::new();
        let mut drained = 0;
        for (name, second, seq, drain) in steps {
            let quote = quote(&name.to_string(), second, seq);
            match board.put(quote.clone()) {
                Put::Taken | Put::TakenAfterGap(_) | Put::TakenAfterRestart => {
                    last.insert(quote.instrument.clone(), quote);
                }
                Put::Duplicate | Put::Old | Put::NoRoom => {}
            }
            if drain {
                for quote in board.drain() {
                    drained += 1;
                    prop_assert_eq!(Some(&quote), last.get(&quote.instrument));
                }
            }
        }
        drained += u64::try_from(board.drain().len()).unwrap();
        let counters = board.counters();
        prop_assert_eq!(counters.received, counters.quotes);
        prop_assert_eq!(counters.quotes, counters.taken + counters.duplicates + counters.old);
        prop_assert_eq!(counters.taken, drained + counters.replaced);
        let newest: HashMap<_, _> =
            board.newest().into_iter().map(|quote| (quote.instrument.clone(), quote)).collect();
        prop_assert_eq!(newest, last);
    }
}
