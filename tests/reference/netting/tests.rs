//! What holds of every book, however it came about.

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::lots::Lots;
use super::*;
use crate::reference::any_decimal;

/// A side, hundredths of a size, hundred-thousandths of a price, hundredths of a commission.
type Order = (bool, u32, u32, u32);

fn orders() -> impl Strategy<Value = Vec<Order>> {
    prop::collection::vec(
        (any::<bool>(), 1..10_000_000_u32, 1..20_000_000_u32, 0..10_000_u32),
        1..30,
    )
}

fn fill((is_buy, size, price, commission): Order) -> Fill {
    Fill {
        side: if is_buy { Side::Buy } else { Side::Sell },
        size: Decimal::new(i64::from(size), 2),
        price: Decimal::new(i64::from(price), 5),
        fx: Decimal::ONE,
        commission: Decimal::new(i64::from(commission), 2),
        swap_fee: Decimal::ZERO,
    }
}

proptest! {
    #[test]
    fn average_cost_and_first_in_first_out_agree_at_every_mark(
        orders in orders(), mark in 1..20_000_000_u32,
    ) {
        let mark = Decimal::new(i64::from(mark), 5);
        let (mut held, mut lots) = (Holding::default(), Lots::default());
        let (mut by_average, mut by_entry) = (Decimal::ZERO, Decimal::ZERO);
        for order in orders {
            let fill = fill(order);
            let was = held.direction();
            let netted = held.take(fill.side, fill.size, fill.price).unwrap();
            if let Some(direction) = was.filter(|_| !netted.closed.is_zero()) {
                by_average += valuation::pnl(
                    direction, netted.closed, netted.closed_cost, fill.price, Decimal::ONE, Decimal::ONE,
                ).unwrap();
            }
            let slices = lots.take(fill.side, fill.size, fill.price).unwrap();
            by_entry += slices.iter().map(|slice| slice.gain).sum::<Decimal>();
            prop_assert_eq!(lots.net_size(), Some(held.size()));
        }
        let average = by_average + held.open_pnl(mark, Decimal::ONE, Decimal::ONE).unwrap();
        let fifo = by_entry + lots.open_pnl(mark, mark).unwrap();
        // The exact costs differ by what 28 digits cannot hold.
        prop_assert!((average - fifo).abs() < Decimal::new(1, 9), "{average} {fifo}");
    }

    #[test]
    fn cash_and_holdings_are_what_was_paid_and_received(orders in orders()) {
        let mut ledger = Ledger::new(Decimal::ONE, 2);
        let (mut cash, mut size, mut commission) = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
        let count = Decimal::from(orders.len());
        for order in orders {
            let fill = fill(order);
            let booked = ledger.book(&fill).unwrap();
            cash -= fill.price * fill.size * fill.side.sign();
            size += fill.size * fill.side.sign();
            commission += fill.commission;
            prop_assert_eq!(booked.closing_commission + booked.opening_commission, fill.commission);
            prop_assert_eq!(booked.netted.closed + booked.netted.opened, fill.size);
        }
        prop_assert_eq!(ledger.held.size(), size);
        prop_assert_eq!(ledger.commission, commission);
        prop_assert_eq!(ledger.net(), Some(ledger.gross - commission));
        // What is held is worth nothing at zero: only the cash is left, each fill rounded by itself.
        let all = ledger.gross + ledger.held.open_pnl(Decimal::ZERO, Decimal::ONE, Decimal::ONE).unwrap();
        prop_assert!((all - cash).abs() <= count * Decimal::new(1, 2), "{all} {cash}");
    }

    #[test]
    fn no_number_is_too_large_to_be_refused(
        size in any_decimal(), price in any_decimal(), fx in any_decimal(), commission in any_decimal(),
        contract in any_decimal(), places in 0..=28_u32,
    ) {
        let mut ledger = Ledger::new(contract, places);
        for side in [Side::Buy, Side::Sell, Side::Sell] {
            let before = ledger;
            if ledger.book(&Fill { side, size, price, fx, commission, swap_fee: price }).is_none() {
                prop_assert_eq!(ledger, before);
            }
        }
        let mut lots = Lots::default();
        lots.take(Side::Buy, size, price);
        lots.take(Side::Sell, price, size);
        lots.open_pnl(price, fx);
    }
}
