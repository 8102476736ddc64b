//! Alice's devices say who is one of them, some of them behind each other's backs.

use super::super::roster::Roster;
use super::*;
use crate::mail::sma::{Deed, Statement};
use proptest::prelude::*;
use std::sync::LazyLock;

/// Keys take long to make: a few devices for all tests.
static DEVICES: LazyLock<Vec<Kept>> =
    LazyLock::new(|| (1..=6).map(|n| Kept(device(n).to_kept().unwrap().to_string())).collect());

struct Kept(String);

fn known(number: u64) -> Device {
    let kept = &DEVICES[usize::try_from(number).unwrap() - 1];
    Device::from_kept(id(number), &kept.0).unwrap()
}

fn member(roster: &Roster, number: u64) -> bool {
    matches!(roster.standing(id(number)), Standing::Member { .. })
}

/// Takes over what another one knows.
fn hear(to: &mut Roster, from: &Roster) {
    assert!(!to.take_all(from.statements().map(|(_, statement)| statement)), "nothing is missing");
}

/// Device 1 founded it and let in those up to `last`.
fn of(last: u64) -> Roster {
    let one = known(1);
    let mut roster = Roster::found(&one, ALICE, "Home", 1);
    for number in 2..=last {
        assert!(roster.add(&one, id(number), known(number).keys(), "Laptop", 2).is_some());
    }
    roster
}

#[test]
fn who_was_let_in_is_a_member_until_removed() {
    let (one, two) = (known(1), known(2));
    let mut roster = of(2);
    assert_eq!(roster.standing(id(2)), Standing::Member { keys: two.keys(), name: "Laptop".into() });
    assert_eq!(roster.standing(id(3)), Standing::Outside);
    assert!(roster.add(&known(3), id(4), known(4).keys(), "", 3).is_none(), "a stranger lets nobody in");
    assert!(roster.remove(&one, id(4), 3).is_none(), "who was never in cannot be put out");
    let before = roster.hash();
    assert!(roster.remove(&one, id(2), 3).is_some());
    assert_ne!(roster.hash(), before);
    assert_eq!(roster.standing(id(2)), Standing::Removed);
    assert!(roster.add(&one, id(2), two.keys(), "", 4).is_none(), "a number is used once");
    assert!(roster.add(&two, id(3), known(3).keys(), "", 4).is_none(), "who was removed lets nobody in");
    assert!(roster.remove(&two, id(1), 4).is_none());
}

#[test]
fn a_foreign_statement_is_not_taken() {
    let (one, two) = (known(1), known(2));
    let mut roster = of(1);
    let deed = || Deed::Add { keys: two.keys(), name: String::new() };
    let seen = vec![roster.anchor()];
    let other_account = one.state("bob@example.org", id(2), deed(), 2, seen.clone());
    assert!(!roster.take(other_account));
    let forged = Statement { author: id(1), ..two.state(ALICE, id(2), deed(), 2, seen.clone()) };
    assert!(!roster.take(forged), "it is signed by somebody else");
    let rival = two.state(ALICE, id(2), deed(), 2, Vec::new());
    assert!(!roster.take(rival), "a second first device");
    let good = one.state(ALICE, id(2), deed(), 2, seen);
    assert!(roster.take(good.clone()));
    assert!(!roster.take(good), "it is known");
}

#[test]
fn what_a_removed_device_says_behind_the_removers_back_does_not_count() {
    let (one, two) = (known(1), known(2));
    let mut home = of(3);
    // The laptop is stolen; the thief has not heard of the removal, or acts as if, and signs a rival roster.
    let mut thief = home.clone();
    home.remove(&one, id(2), 10).unwrap();
    thief.add(&two, id(4), known(4).keys(), "Thief", 11).unwrap();
    thief.remove(&two, id(1), 12).unwrap();
    thief.remove(&two, id(3), 13).unwrap();
    let mut third = home.clone();
    hear(&mut third, &thief);
    for number in [1, 2, 3, 4] {
        assert!(!member(&third, number), "while branches differ, nobody disputed gets a secret: {number}");
    }
    let mut other_way = thief.clone();
    hear(&mut other_way, &home);
    assert_eq!(other_way.devices(), third.devices(), "the order does not matter");
    assert_eq!(other_way.hash(), third.hash());
}

#[test]
fn the_owner_settles_it_on_a_device_that_nobody_disputes() {
    let (one, two, three) = (known(1), known(2), known(3));
    let mut home = of(3);
    let mut thief = home.clone();
    home.remove(&one, id(2), 10).unwrap();
    thief.remove(&two, id(1), 12).unwrap();
    hear(&mut home, &thief);
    assert_eq!(home.standing(id(1)), Standing::Disputed);
    assert_eq!(home.standing(id(2)), Standing::Disputed);
    assert!(member(&home, 3));
    assert!(home.remove(&one, id(2), 13).is_none(), "a disputed device decides nothing");
    let mut other_way = home.clone();
    home.remove(&three, id(2), 14).unwrap();
    assert_eq!(home.standing(id(2)), Standing::Removed);
    assert!(member(&home, 1) && member(&home, 3));
    other_way.remove(&three, id(1), 14).unwrap();
    assert_eq!(other_way.standing(id(1)), Standing::Removed);
    assert!(member(&other_way, 2), "or the other way round: it is the owner who knows");
}

#[test]
fn what_was_said_before_the_removal_still_counts() {
    let (one, two) = (known(1), known(2));
    let mut roster = of(2);
    roster.add(&two, id(3), known(3).keys(), "Phone", 3).unwrap();
    roster.remove(&one, id(2), 4).unwrap();
    assert!(member(&roster, 3), "its author was one of us, and the remover had seen it");
    let mut late = of(2);
    let adds = late.add(&two, id(3), known(3).keys(), "Phone", 3).unwrap();
    let mut remover = of(2);
    remover.remove(&one, id(2), 4).unwrap();
    remover.take(adds);
    assert!(!member(&remover, 3), "the remover had not: its owner has to let it in again");
    // A device that leaves by itself is removed.
    let mut left = of(2);
    left.remove(&two, id(2), 5).unwrap();
    assert_eq!(left.standing(id(2)), Standing::Removed);
}

#[test]
fn two_that_let_the_same_one_in_agree() {
    let (one, two) = (known(1), known(2));
    let (mut a, mut b) = (of(2), of(2));
    a.add(&one, id(3), known(3).keys(), "Phone", 3).unwrap();
    b.add(&two, id(3), known(3).keys(), "Phone", 3).unwrap();
    hear(&mut a, &b);
    assert!(member(&a, 3));
    let mut c = of(2);
    c.add(&two, id(3), known(5).keys(), "Phone", 3).unwrap();
    hear(&mut a, &c);
    assert_eq!(a.standing(id(3)), Standing::Disputed, "one number, two keys");
}

#[test]
fn a_wrong_copy_of_a_removal_does_not_keep_the_right_one_out() {
    let (one, mut home, mut phone) = (known(1), of(2), of(2));
    // The provider keeps back that the phone was let in, so that the removal has no forerunner, and spoils a copy of it.
    let lets_in = home.add(&one, id(3), known(3).keys(), "Phone", 3).unwrap();
    let removes = home.remove(&one, id(2), 4).unwrap();
    let mut spoilt = removes.clone();
    spoilt.signature[0] ^= 1;
    assert!(phone.take_all([&spoilt]), "what it follows is missing");
    assert!(!phone.take(removes.clone()));
    assert!(phone.take(lets_in));
    assert!(!phone.take(spoilt), "now it can be told that it is forged");
    assert!(phone.take(removes));
    assert_eq!(phone.standing(id(2)), Standing::Removed);
    assert_eq!(phone.hash(), home.hash());
}

#[test]
fn statements_from_nowhere_take_no_room() {
    let (one, two) = (known(1), known(2));
    let mut home = of(2);
    for n in 0..200 {
        let removes = two.state(ALICE, id(1), Deed::Remove, n, vec![[7; 32]]);
        assert!(!home.take(removes));
    }
    assert!(home.remove(&one, id(2), 300).is_some());
}

#[test]
fn chains_of_devices_that_a_thief_lets_in_cost_no_time() {
    let (one, two) = (known(1), known(2));
    let home = of(2);
    // Each is let in twice behind its own back, and lets in the next one twice.
    let mut thief = home.clone();
    let mut last = (id(2), two);
    let mut level = 0;
    while !thief.is_full() {
        let next = Device::new(id(100 + level));
        let (mut left, mut right) = (thief.clone(), thief.clone());
        left.add(&last.1, next.id(), next.keys(), "", 5).unwrap();
        right.add(&last.1, next.id(), next.keys(), "", 6).unwrap();
        thief = left;
        thief.take_all(right.statements().map(|(_, statement)| statement));
        last = (next.id(), next);
        level += 1;
    }
    assert!(level > 60 && member(&thief, 1) && matches!(thief.standing(last.0), Standing::Member { .. }));
    // The owner removes the thief without having seen any of it.
    let mut owner = home;
    owner.remove(&one, id(2), 9).unwrap();
    owner.take_all(thief.statements().map(|(_, statement)| statement));
    assert_eq!(owner.standing(id(2)), Standing::Removed);
    assert_eq!(owner.standing(last.0), Standing::Disputed);
    assert!(owner.devices().values().filter(|it| matches!(it, Standing::Member { .. })).count() == 1);
}

#[test]
fn a_removal_has_seen_all_that_there_was_however_many_ends_it_has() {
    let (one, two) = (known(1), known(2));
    let base = of(2);
    let mut home = base.clone();
    for number in 0..40 {
        let mut fork = base.clone();
        fork.add(&two, id(200 + number), known(3).keys(), "", 5).unwrap();
        hear(&mut home, &fork);
    }
    home.remove(&one, id(2), 9).unwrap();
    assert!(
        (0..40).all(|number| member(&home, 200 + number)),
        "they were let in before, and its author had seen it"
    );
}

/// What happens to the rosters of six devices: somebody adds, removes, or hears of another's, some of it only.
#[derive(Clone, Debug)]
enum Op {
    Add(u64, u64),
    Remove(u64, u64),
    Hear(u64, u64, u64),
}

fn op() -> impl Strategy<Value = Op> {
    let n = || 1_u64..=6;
    prop_oneof![
        2 => (n(), n()).prop_map(|(by, whom)| Op::Add(by, whom)),
        2 => (n(), n()).prop_map(|(by, whom)| Op::Remove(by, whom)),
        4 => (n(), n(), any::<u64>()).prop_map(|(to, from, which)| Op::Hear(to, from, which)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn who_heard_the_same_agrees_whatever_the_order(ops in prop::collection::vec(op(), 1..24), order: u64) {
        let first = of(3);
        let mut rosters: Vec<Roster> = (0..6).map(|_| first.clone()).collect();
        let at = |n: u64| usize::try_from(n).unwrap() - 1;
        for (now, op) in ops.into_iter().enumerate() {
            let now = i64::try_from(now).unwrap();
            match op {
                Op::Add(by, whom) => {
                    let was = rosters[at(by)].standing(id(by));
                    let said = rosters[at(by)].add(&known(by), id(whom), known(whom).keys(), "", now);
                    let could = said.is_none() || matches!(was, Standing::Member { .. });
                    prop_assert!(could);
                }
                Op::Remove(by, whom) => {
                    let was = rosters[at(by)].standing(id(by));
                    let said = rosters[at(by)].remove(&known(by), id(whom), now);
                    let could = said.is_none() || matches!(was, Standing::Member { .. });
                    prop_assert!(could);
                    prop_assert!(said.is_none() || !member(&rosters[at(by)], whom), "who was seen removed is out");
                }
                Op::Hear(to, from, which) => {
                    let said: Vec<Statement> = rosters[at(from)].statements().map(|(_, s)| s.clone()).collect();
                    for (n, statement) in said.into_iter().enumerate() {
                        // The provider keeps some of it back.
                        if which >> (n % 64) & 1 == 1 {
                            rosters[at(to)].take(statement);
                        }
                    }
                }
            }
        }
        // All is heard in the end, by each in another order.
        let mut all: Vec<Statement> = Vec::new();
        for roster in &rosters {
            all.extend(roster.statements().map(|(_, s)| s.clone()));
        }
        let mut agreed = None;
        for (turn, roster) in rosters.iter_mut().enumerate() {
            let from = usize::try_from(order).unwrap_or(turn) % all.len();
            all.rotate_left(from);
            if turn % 2 == 1 {
                all.reverse();
            }
            prop_assert!(!roster.take_all(&all));
            let now = (roster.devices(), roster.hash());
            prop_assert_eq!(agreed.get_or_insert(now.clone()), &now);
        }
        // Who was removed by somebody that nobody removed is removed.
        let (devices, _) = agreed.unwrap();
        for statement in all.iter().filter(|s| s.deed == Deed::Remove) {
            let author_stands = matches!(devices.get(&statement.author), Some(Standing::Member { .. }));
            let target = devices.get(&statement.device);
            let is_out = !matches!(target, Some(Standing::Member { .. }));
            prop_assert!(!author_stands || is_out, "{:?} {:?}", statement, devices);
        }
    }
}
