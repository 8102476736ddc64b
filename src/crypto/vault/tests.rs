//! Vaults of Alice, opened by her, by Bob, and by her recovery key.

use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

fn words(text: &str) -> SecretText {
    SecretText::new(text.into())
}

static ALICES: LazyLock<(Vault, MasterKey)> =
    LazyLock::new(|| Vault::create(&words("correct horse"), Cost::MINIMUM));

#[test]
fn alice_opens_her_vault_and_bob_does_not() {
    let (vault, master) = &*ALICES;
    let read = Vault::from_bytes(&vault.to_bytes()).unwrap();
    assert_eq!(&read, vault);
    assert_eq!(read.open(&words("correct horse")).as_ref(), Ok(master));
    assert_eq!(read.open(&words("battery staple")), Err(VaultError::WrongPassphrase));
    assert_eq!(read.open(&words("")), Err(VaultError::WrongPassphrase));
}

#[test]
fn after_a_change_only_the_new_passphrase_opens() {
    let (mut vault, master) = ALICES.clone();
    vault.slots.push(Slot::Other { kind: 9, body: b"of later".to_vec() });
    vault.change_passphrase(&master, &words("new words"), Cost::MINIMUM);
    let vault = Vault::from_bytes(&vault.to_bytes()).unwrap();
    assert_eq!(vault.open(&words("new words")), Ok(master));
    assert_eq!(vault.open(&words("correct horse")), Err(VaultError::WrongPassphrase));
    assert!(vault.slots.contains(&Slot::Other { kind: 9, body: b"of later".to_vec() }));
}

#[test]
fn blown_up_parameters_are_refused_before_any_memory_is_taken() {
    for (memory_kib, passes, lanes) in
        [(u32::MAX, 1, 1), (64 * 1024, u32::MAX, 1), (1024, 1, 1), (64 * 1024, 1, 4)]
    {
        let (mut vault, _) = ALICES.clone();
        let Slot::Passphrase(slot) = &mut vault.slots[0] else { unreachable!() };
        (slot.memory_kib, slot.passes, slot.lanes) = (memory_kib, passes, lanes);
        let vault = Vault::from_bytes(&vault.to_bytes()).unwrap();
        assert_eq!(vault.open(&words("correct horse")), Err(VaultError::RefusedParameters));
    }
}

#[test]
fn a_forged_vault_with_a_right_checksum_is_still_refused() {
    let (mut vault, _) = ALICES.clone();
    vault.slots.push(Slot::Other { kind: 9, body: b"slipped in".to_vec() });
    let vault = Vault::from_bytes(&vault.to_bytes()).unwrap();
    assert_eq!(vault.open(&words("correct horse")), Err(VaultError::Damaged));
}

#[test]
fn the_vault_does_not_hold_the_master_key_or_the_passphrase() {
    let (vault, master) = &*ALICES;
    let bytes = vault.to_bytes();
    for secret in [master.expose().as_slice(), b"correct horse"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
}

#[test]
fn her_recovery_key_opens_it_without_the_passphrase_and_survives_a_change_of_it() {
    let (mut vault, master) = ALICES.clone();
    assert_eq!(vault.recovery_made_at(), None);
    let key = RecoveryKey::random();
    vault.set_recovery_key(&master, &key, 1_700_000_000);
    let mut vault = Vault::from_bytes(&vault.to_bytes()).unwrap();
    assert_eq!(vault.recovery_made_at(), Some(1_700_000_000));
    assert_eq!(vault.open(&key.to_text()).as_ref(), Ok(&master));
    assert_eq!(vault.open(&words("correct horse")).as_ref(), Ok(&master), "so does the passphrase");
    let afar = |words: &SecretText| vault.open_by_passphrase(words);
    assert_eq!(afar(&key.to_text()), Err(VaultError::WrongPassphrase), "which alone counts from afar");
    assert_eq!(afar(&words("correct horse")).as_ref(), Ok(&master));
    vault.change_passphrase(&master, &words("new words"), Cost::MINIMUM);
    let vault = Vault::from_bytes(&vault.to_bytes()).unwrap();
    assert_eq!(vault.open(&words(&key.to_text().expose().to_lowercase())).as_ref(), Ok(&master));
    let bytes = vault.to_bytes();
    assert!(!bytes.windows(32).any(|window| window == key.expose()), "it is kept nowhere");
}

#[test]
fn a_typo_another_key_and_the_key_before_are_told_apart() {
    let (mut vault, master) = ALICES.clone();
    let (old, new) = (RecoveryKey::from_bytes([1; 32]), RecoveryKey::from_bytes([2; 32]));
    assert_eq!(vault.open(&old.to_text()), Err(VaultError::OtherRecoveryKey), "there is none yet");
    vault.set_recovery_key(&master, &old, 1);
    vault.set_recovery_key(&master, &new, 2);
    assert_eq!((vault.slots.len(), vault.recovery_made_at()), (2, Some(2)));
    assert_eq!(vault.open(&new.to_text()).as_ref(), Ok(&master));
    assert_eq!(vault.open(&old.to_text()), Err(VaultError::OtherRecoveryKey));
    let mistyped = new.to_text().expose().replacen('8', "9", 1);
    assert_ne!(mistyped, new.to_text().expose());
    assert_eq!(vault.open(&words(&mistyped)), Err(VaultError::MistypedRecoveryKey));
    assert_eq!(vault.open(&words("battery staple")), Err(VaultError::WrongPassphrase));
}

#[test]
fn a_key_of_one_store_opens_no_other_and_a_forged_slot_opens_nothing() {
    let key = RecoveryKey::random();
    let (mut bobs, his) = Vault::create(&words("battery staple"), Cost::MINIMUM);
    bobs.set_recovery_key(&his, &key, 1);
    let (mut vault, master) = ALICES.clone();
    vault.slots.push(bobs.slots[1].clone());
    assert_eq!(vault.open(&key.to_text()), Err(VaultError::OtherRecoveryKey), "bound to Bob's store");
    // One of Mallory's making, with a master key of his, in Alice's vault.
    let (mut vault, _) = ALICES.clone();
    vault.slots.push(Slot::Recovery(RecoverySlot::new(&vault.store_id, &his, &key, 1)));
    let vault = Vault::from_bytes(&vault.to_bytes()).unwrap();
    assert_eq!(vault.open(&key.to_text()), Err(VaultError::Damaged));
    assert_eq!(vault.open(&words("correct horse")), Err(VaultError::Damaged), "the tag tells");
    // Another date for a true slot is noticed as well.
    let (mut vault, _) = ALICES.clone();
    vault.set_recovery_key(&master, &key, 1);
    let Slot::Recovery(slot) = &mut vault.slots[1] else { unreachable!() };
    slot.made_at = 2;
    assert_eq!(vault.open(&key.to_text()), Err(VaultError::OtherRecoveryKey));
}

#[test]
fn a_passphrase_that_looks_like_a_recovery_key_still_opens() {
    let text = RecoveryKey::from_bytes([3; 32]).to_text();
    let (vault, master) = Vault::create(&text, Cost::MINIMUM);
    assert_eq!(vault.open(&text), Ok(master));
}

proptest! {
    #[test]
    fn a_flipped_bit_or_a_cut_is_damage(bit: prop::sample::Index, cut: prop::sample::Index) {
        let mut bytes = ALICES.0.to_bytes();
        let kept = cut.index(bytes.len());
        prop_assert_eq!(Vault::from_bytes(&bytes[..kept]), Err(VaultError::Damaged));
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(Vault::from_bytes(&bytes), Err(VaultError::Damaged));
    }

    #[test]
    fn no_bytes_make_it_panic(content: Vec<u8>, body: Vec<u8>) {
        let mut forged = [MAGIC.as_slice(), &VERSION.to_be_bytes(), &[0; 16], &body, &[0; 32]].concat();
        forged.extend_from_slice(&Sha256::digest(&forged));
        drop(Vault::from_bytes(&forged));
        drop(Vault::from_bytes(&content));
    }
}
