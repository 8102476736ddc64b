//! Alice looks for Bob's mail.

use super::*;
use crate::mail::query::{PersonField, TextField};

fn letters() -> Vec<Message> {
    vec![
        Message {
            number: 1,
            date: 100,
            size: 500,
            subject: "Crème brûlée for Sunday".into(),
            from: vec![person("Bob Müller", "bob@mail.lab.test")],
            to: vec![person("Alice", "Alice@Lab.test")],
            body: "The quick brown fox jumps. 東京タワー is tall.".into(),
            filenames: vec!["recipe-final.pdf".into()],
            headers: vec![
                ("X-Mailer".into(), "Claws 4.1".into()),
                ("Received".into(), "from secrethost".into()),
            ],
            kinds: BTreeSet::from([Kind::Attachment, Kind::Document]),
            ..Message::default()
        },
        Message {
            number: 2,
            date: 300,
            size: 5_000,
            subject: "Re: creme brulee".into(),
            from: vec![person("Alice", "alice@lab.test")],
            to: vec![person("Bob", "bob@mail.lab.test")],
            cc: vec![person("Carol", "carol@elsewhere.example")],
            body: "Brown the sugar quick; foxes like it too.".into(),
            list: "Cooks <cooks.lists.example>".into(),
            headers: vec![("List-Id".into(), "Cooks <cooks.lists.example>".into())],
            ..Message::default()
        },
        Message {
            number: 3,
            date: 200,
            size: 50_000,
            subject: "Key".into(),
            from: vec![person("", "carol@elsewhere.example")],
            bcc: vec![person("Alice", "alice@lab.test")],
            body: "quick quick quick".into(),
            kinds: BTreeSet::from([Kind::Signed, Kind::Key]),
            ..Message::default()
        },
    ]
}

fn filled() -> (Alice, Index) {
    let alice = Alice::new();
    let index = alice.open();
    add(&index, &letters());
    assert_eq!(index.commit().unwrap(), 3);
    (alice, index)
}

fn prefix(field: TextField, text: &str) -> Query {
    Query::Leaf(Leaf::Text { field, text: text.into(), prefix: true })
}

fn who(field: PersonField, text: &str, prefix: bool) -> Query {
    Query::Leaf(Leaf::Person { field, text: text.into(), prefix })
}

fn header(name: &str, value: &str) -> Query {
    Query::Leaf(Leaf::Header { name: name.into(), value: value.into() })
}

#[test]
fn words_are_found_whatever_their_case_accents_and_script() {
    let (_alice, index) = filled();
    for (query, expected) in [
        (anywhere("BRULEE"), vec![1, 2]),
        (anywhere("quick brown"), vec![1]),
        (anywhere("brown quick"), vec![]),
        (anywhere("sunday the"), vec![]),
        (anywhere("müller"), vec![1]),
        (anywhere("recipe final"), vec![1]),
        (anywhere("京タワ"), vec![1]),
        (anywhere("京ワ"), vec![]),
        (anywhere("quick"), vec![1, 3, 2]),
        (anywhere("alice@lab.test"), vec![1, 3, 2]),
        (anywhere("secrethost"), vec![]),
        (anywhere("!?"), vec![]),
        (text(TextField::Subject, "creme"), vec![1, 2]),
        (text(TextField::Body, "creme"), vec![]),
        (text(TextField::Filename, "recipe-final.pdf"), vec![1]),
        (text(TextField::List, "cooks.lists"), vec![2]),
        (prefix(TextField::Any, "fox"), vec![1, 2]),
        (prefix(TextField::Body, "brown fo"), vec![1]),
        (prefix(TextField::Body, "foxes li"), vec![2]),
        (prefix(TextField::Body, "quick quick q"), vec![3]),
        (prefix(TextField::Body, "nothing of th"), vec![]),
        (prefix(TextField::Body, ""), vec![]),
        (Query::All, vec![1, 3, 2]),
    ] {
        assert_eq!(find(&index, &query), expected, "{query:?}");
    }
}

#[test]
fn people_are_found_by_word_address_and_domain() {
    let (_alice, index) = filled();
    use PersonField::{Bcc, Cc, From, To, With};
    for (query, expected) in [
        (who(From, "bob", false), vec![1]),
        (who(From, "Bob Muller", false), vec![1]),
        (who(From, "muller bob", false), vec![]),
        (who(To, "ALICE@lab.TEST", false), vec![1]),
        (who(With, "alice@lab.test", false), vec![1, 3, 2]),
        (who(With, "lice@lab.test", false), vec![]),
        (who(With, "alice@lab", false), vec![]),
        (who(With, "alice@l", true), vec![1, 3, 2]),
        (who(From, "lab.test", false), vec![1, 2]),
        (who(From, "@lab.test", false), vec![1, 2]),
        (who(From, "@mail.lab.test", false), vec![1]),
        (who(From, "ail.lab.test", false), vec![]),
        (who(Cc, "caro", true), vec![2]),
        (who(Bcc, "alice", false), vec![3]),
        (who(With, "muller bob", false), vec![]),
    ] {
        assert_eq!(find(&index, &query), expected, "{query:?}");
    }
}

#[test]
fn headers_kinds_dates_and_sizes_narrow_it_down() {
    let (_alice, index) = filled();
    let date = |from, until| Query::Leaf(Leaf::Date { from, until });
    for (query, expected) in [
        (header("x-mailer", ""), vec![1]),
        (header("x-mailer", "claws 4"), vec![1]),
        (header("x-mailer", "mutt"), vec![]),
        (header("received", ""), vec![1]),
        (header("subject", "for sunday"), vec![1]),
        (header("from", "bob@mail.lab.test"), vec![1]),
        (header("list-id", "cooks"), vec![2]),
        (Query::Leaf(Leaf::Kind(Kind::Key)), vec![3]),
        (Query::Leaf(Leaf::Kind(Kind::Calendar)), vec![]),
        (date(Some(100), Some(300)), vec![1, 3]),
        (date(Some(101), None), vec![3, 2]),
        (date(None, Some(100)), vec![]),
        (date(Some(300), Some(100)), vec![]),
        (Query::Leaf(Leaf::Larger(500)), vec![2, 3].into_iter().rev().collect()),
        (Query::Leaf(Leaf::Smaller(5_000)), vec![1]),
        (Query::Not(Box::new(anywhere("quick brown"))), vec![3, 2]),
        (Query::And(vec![anywhere("quick"), Query::Not(Box::new(anywhere("sugar")))]), vec![1, 3]),
        (Query::And(vec![Query::Not(Box::new(anywhere("sugar")))]), vec![1, 3]),
        (Query::Or(vec![anywhere("sugar"), anywhere("key")]), vec![3, 2]),
        (Query::Not(Box::new(Query::Not(Box::new(anywhere("sugar"))))), vec![2]),
    ] {
        assert_eq!(find(&index, &query), expected, "{query:?}");
    }
}

#[test]
fn tags_are_sets_that_the_caller_holds_and_the_dead_are_never_shown() {
    let (_alice, index) = filled();
    let starred = Arc::new(RoaringBitmap::from([1, 2, 77]));
    let sets = |leaf: &Leaf| (*leaf == Leaf::Tag("starred".into())).then(|| Arc::clone(&starred));
    let alive = RoaringBitmap::from([2, 3]);
    let tag = |name: &str| Query::Leaf(Leaf::Tag(name.into()));
    for (query, expected) in [
        (tag("starred"), vec![2]),
        (Query::Not(Box::new(tag("starred"))), vec![3]),
        (tag("unknown"), vec![]),
        (Query::All, vec![2, 3]),
    ] {
        assert_eq!(index.matching(&query, &sets, &alive).unwrap(), expected.iter().copied().collect());
        let found = index.search(&query, &sets, &alive, Order::Newest, 0, 9).unwrap();
        let expected: Vec<_> = expected.into_iter().map(MessageNumber).collect();
        assert_eq!(found, Found { total: expected.len() as u64, numbers: expected });
    }
}

#[test]
fn pages_follow_the_order_that_is_asked_for() {
    let alice = Alice::new();
    let index = alice.open();
    for number in 1..=40 {
        let body = if number % 5 == 0 { "rare rare rare" } else { "rare and many other words around it" };
        add(
            &index,
            &[Message { number, date: i64::from(number / 2), body: body.into(), ..Message::default() }],
        );
        if number % 7 == 0 {
            index.commit().unwrap();
        }
    }
    index.commit().unwrap();
    let page = |order, offset, limit| {
        let found = index.search(&anywhere("rare"), &no_sets, &everybody(), order, offset, limit).unwrap();
        assert_eq!(found.total, 40);
        found.numbers.into_iter().map(|number| number.0).collect::<Vec<_>>()
    };
    assert_eq!(page(Order::Newest, 0, 4), [40, 39, 38, 37]);
    assert_eq!(page(Order::Newest, 4, 2), [36, 35]);
    assert_eq!(page(Order::Oldest, 0, 3), [1, 2, 3]);
    assert_eq!(page(Order::Oldest, 38, 10), [39, 40]);
    assert_eq!(page(Order::Newest, 50, 10), Vec::<u32>::new());
    assert_eq!(page(Order::Newest, usize::MAX, usize::MAX), Vec::<u32>::new());
    assert_eq!(page(Order::Newest, 0, 0), Vec::<u32>::new());
    let best = page(Order::Relevance, 0, 8);
    assert!(best.iter().all(|number| number % 5 == 0), "{best:?}");
}

#[test]
fn a_message_that_is_added_again_is_found_once_as_it_is_now() {
    let (_alice, index) = filled();
    add(&index, &[Message { number: 2, body: "rewritten".into(), ..Message::default() }]);
    index.commit().unwrap();
    assert_eq!(find(&index, &anywhere("sugar")), Vec::<u32>::new());
    assert_eq!(find(&index, &anywhere("rewritten")), [2]);
    assert_eq!(find(&index, &Query::All).len(), 3);
    assert_eq!(index.position(), 3);
}

#[test]
fn after_a_kill_the_last_commit_is_found_and_no_more() {
    let (alice, index) = filled();
    add(&index, &[Message { number: 4, body: "uncommitted".into(), ..Message::default() }]);
    index.delete(&[MessageNumber(1)]).unwrap();
    std::mem::forget(index);
    std::fs::write(alice.path().join("00112233445566778899aabbccddeeff"), b"stray").unwrap();
    let index = alice.open();
    assert_eq!(index.position(), 3);
    assert_eq!(find(&index, &Query::All), [1, 3, 2]);
    assert!(!alice.path().join("00112233445566778899aabbccddeeff").exists());
    add(&index, &[Message { number: 4, body: "at last".into(), ..Message::default() }]);
    assert_eq!(index.commit().unwrap(), 4);
    drop(index);
    assert_eq!(find(&alice.open(), &anywhere("at last")), [4]);
}

#[test]
fn words_of_deleted_messages_are_gone_from_the_disk() {
    let alice = Alice::new();
    let index = alice.open();
    for number in 1..=30 {
        let body = format!("common word{number}");
        add(&index, &[Message { number, body, date: i64::from(number), ..Message::default() }]);
        if number % 10 == 0 {
            index.commit().unwrap();
        }
    }
    index.delete(&[MessageNumber(7), MessageNumber(12)]).unwrap();
    index.commit().unwrap();
    assert_eq!(find(&index, &anywhere("common")).len(), 28);
    let before = alice.files();
    index.purge_deleted().unwrap();
    assert_eq!(find(&index, &anywhere("common")).len(), 28);
    for reader in index.reader.searcher().segment_readers() {
        assert!(!reader.has_deletes());
        let terms = reader.inverted_index(index.fields.body).unwrap();
        for (word, expected) in [("word7", 0), ("word12", 0)] {
            let term = tantivy::Term::from_field_text(index.fields.body, word);
            assert_eq!(terms.doc_freq(&term).unwrap(), expected);
        }
    }
    let after = alice.files();
    assert_eq!(
        after.iter().filter(|path| before.contains(path)).count(),
        7,
        "the catalog and one untouched segment"
    );
    let catalog = catalog::Catalog::read(&alice.path(), &alice.key, &STORE).unwrap().unwrap();
    assert_eq!(catalog.files.len() + 1, after.len(), "no key of a file that is gone");
    drop(index);
    assert_eq!(find(&alice.open(), &anywhere("common")).len(), 28);

    let index = alice.open();
    let all: Vec<_> = (1..=30).map(MessageNumber).collect();
    index.delete(&all).unwrap();
    index.purge_deleted().unwrap();
    assert_eq!(alice.files().len(), 1);
    assert_eq!(index.position(), 30);
}

#[test]
fn many_small_commits_are_merged_and_still_found() {
    let alice = Alice::new();
    let index = alice.open();
    for number in 1..=60 {
        add(&index, &[Message { number, body: format!("one{}", number % 3), ..Message::default() }]);
        index.commit().unwrap();
        assert_eq!(find(&index, &Query::All).len(), number as usize);
    }
    index.settle().unwrap();
    assert_eq!(find(&index, &anywhere("one0")).len(), 20);
    assert!(index.reader.searcher().segment_readers().len() < 12);
    drop(index);
    assert_eq!(find(&alice.open(), &anywhere("one1")).len(), 20);
}

#[test]
fn a_disk_that_refuses_leaves_the_last_commit_findable() {
    let (alice, index) = filled();
    let way = alice.path().join("catalog.new");
    std::fs::create_dir(&way).unwrap();
    add(&index, &[Message { number: 4, body: "later".into(), ..Message::default() }]);
    assert!(index.commit().is_err());
    assert_eq!(index.position(), 3);
    assert_eq!(find(&index, &Query::All).len(), 3);
    std::fs::remove_dir(&way).unwrap();
    add(&index, &[Message { number: 4, body: "later".into(), ..Message::default() }]);
    assert_eq!(index.commit().unwrap(), 4);
    assert_eq!(find(&index, &anywhere("later")), [4]);
    drop(index);
    assert_eq!(find(&alice.open(), &Query::All).len(), 4);
}

#[test]
fn a_failing_indexing_thread_is_reported_and_replaced() {
    let (alice, index) = filled();
    let elsewhere = alice.dir.path().join("elsewhere");
    std::fs::rename(alice.path(), &elsewhere).unwrap();
    // More than may wait to be indexed, so that nobody waits for a thread that is gone.
    let large = Message { number: 4, body: "large ".repeat(50_000), ..Message::default() };
    let documents = vec![large.document(); 60];
    assert!(index.add(&documents).and_then(|()| index.commit().map(drop)).is_err());
    std::fs::rename(&elsewhere, alice.path()).unwrap();
    assert_eq!(index.position(), 3);
    assert_eq!(find(&index, &Query::All), [1, 3, 2]);
    add(&index, &[large]);
    assert_eq!(index.commit().unwrap(), 4);
    assert_eq!(find(&index, &anywhere("large")), [4]);
}

#[test]
fn an_index_that_is_closed_writes_no_more() {
    let (alice, index) = filled();
    let late = index.directory.clone();
    drop(index);
    let before = alice.files();
    let name = Path::new("meta.json");
    assert!(tantivy::Directory::atomic_write(&late, name, b"{}").is_err());
    assert!(tantivy::Directory::open_write(&late, Path::new("late")).is_err());
    assert_eq!(alice.files(), before);
    assert_eq!(find(&alice.open(), &Query::All), [1, 3, 2]);
}
