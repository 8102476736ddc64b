//! Made-up devices of Alice for the tests of the pages: each stage of a pairing, and what stands around it.

use super::sample::{HOSTILE, shell};
use super::*;

fn member(name: &str, words: &str, caution: bool) -> MemberView {
    MemberView {
        id: format!("48123301{:02}", name.len()),
        name: name.into(),
        program: "Mailkeep 0.1.0".into(),
        words: words.into(),
        caution,
        shares: if caution { "" } else { "Keys, whom you trust, and how private mail is handled" },
        nameable: !caution,
        is_mailkeep: true,
    }
}

fn stage(kind: &'static str, heading: &'static str) -> StageView {
    let step = |words: &str, done, next| InvitationStep { words: words.into(), done, next };
    StageView {
        kind,
        mark: format!("{kind} 4812330175"),
        heading,
        steps: vec![
            step("Let the new device on.", true, false),
            step("Type here the numbers that it shows.", false, true),
            step(HOSTILE, false, false),
        ],
        id: "4812330175".into(),
        name: HOSTILE.into(),
        numbers: if kind == "code" {
            (0..18).map(|n| format!("{n:02}WX")).collect()
        } else {
            ["7815", "5714", "5413"].map(str::to_owned).into()
        },
        prefix: "sma1:".into(),
        qr: Qr::of_device_code("sma1:0000-0123-4567-89AB"),
        until: "14:05".into(),
        words: HOSTILE.into(),
    }
}

fn page(afar: bool, households: Vec<HouseholdView>) -> DevicesPage {
    DevicesPage {
        shell: Shell { afar, ..shell("Devices", Spot::Devices, "/devices", "") },
        households,
        announces: true,
        before: vec![BeforeView { number: 1, text: HOSTILE.into(), when: "12:04".into() }],
        senders: vec!["alice@example.org".into()],
        ..DevicesPage::default()
    }
}

/// Alone, in every stage from both sides, with everything, and removed.
pub(super) fn pages() -> Vec<(&'static str, DevicesPage)> {
    let house = HouseholdView {
        account: "alice@example.org".into(),
        this: MemberView { nameable: true, ..member("Mailkeep on harbour", "", false) },
        ..HouseholdView::default()
    };
    let alone = HouseholdView {
        is_alone: true,
        stage: StageView { kind: "nothing", ..StageView::default() },
        ..house.clone()
    };
    let noticed = HouseholdView {
        is_alone: false,
        may_ask: true,
        may_show: true,
        may_join: true,
        typed: HOSTILE.into(),
        noticed: vec![member("Mailkeep/0.1.0", "", false), member(HOSTILE, "", false)],
        ..alone.clone()
    };
    let mut all = vec![
        ("devices-none", DevicesPage { senders: Vec::new(), ..page(false, Vec::new()) }),
        ("devices", page(false, vec![alone])),
        ("devices-noticed", page(true, vec![noticed.clone()])),
    ];
    for (name, kind, heading) in [
        ("devices-asking", "asking", "Let this one on, on your other device"),
        ("devices-asked", "asked", "A program asks to be let in"),
        ("devices-accepted", "accepted", "Waiting for the new device"),
        ("devices-shows", "shows", "Type these numbers into the other device"),
        ("devices-said", "said", "Waiting for the other device"),
        ("devices-types", "types", "Type the numbers that the new device shows"),
        ("devices-typed", "typed", "Now say on the new device that they were taken"),
        ("devices-code", "code", "Type this code into the new device"),
        ("devices-proving", "proving", "The two prove to each other that they know the code"),
        ("devices-joining", "joining", "Taking over what the other device knows"),
        ("devices-done", "done", "The two are paired"),
        ("devices-ended", "ended", "Nobody was let in"),
    ] {
        let waits = HouseholdView {
            may_ask: false,
            may_show: false,
            may_join: false,
            stage: stage(kind, heading),
            ..noticed.clone()
        };
        let mut shown = page(kind == "asked", vec![waits]);
        shown.refreshes = kind == "asking";
        all.push((name, shown));
    }
    let many = HouseholdView {
        others: vec![
            member("Laptop", "Last heard of 12:04.", false),
            member(
                HOSTILE,
                "Last heard of 3 Mar. It was not heard of for three months and is told nothing.",
                true,
            ),
        ],
        removed: vec![member("Old phone", "It was removed. It keeps what it had before.", true)],
        stage: StageView { kind: "nothing", ..StageView::default() },
        ..house.clone()
    };
    let mut many = page(true, vec![many]);
    many.removed = Some(RemovedView {
        name: HOSTILE.into(),
        account: "alice@example.org".into(),
        words: "It hears nothing from your other devices any more.".into(),
    });
    many.trouble = HOSTILE.into();
    many.shares = true;
    many.strays_words = "3 messages lie".into();
    all.push(("devices-many", many));
    let out = HouseholdView {
        is_out: true,
        out_words: "This Mailkeep was removed by another of your devices.".into(),
        stage: StageView { kind: "nothing", ..StageView::default() },
        others: vec![member("Laptop", "Last heard of 12:04.", false)],
        ..house
    };
    let mut out = page(true, vec![out]);
    out.announces = false;
    all.push(("devices-out", out));
    all
}
