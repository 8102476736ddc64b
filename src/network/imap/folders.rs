//! Which folders there are and what each is for (RFC 6154, and well-known names where the server does not say).

use super::command::Command;
use super::response::{Listed, Response};
use super::session::Session;
use super::{ImapError, names};

/// How many folders are looked at.
const MOST_FOLDERS: usize = 20_000;

/// What a folder is for. No two folders of an account have the same role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Where mail arrives.
    Inbox,
    /// What is done with and kept.
    Archive,
    /// What is being written.
    Drafts,
    /// What was sent.
    Sent,
    /// Unwanted mail.
    Junk,
    /// What is to be deleted.
    Trash,
    /// Everything once more (Gmail's "All Mail"): there, archived mail is mail that is only here.
    All,
}

/// A folder on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its name for people, parts separated by the delimiter.
    pub name: String,
    /// Its name for the server: what [`Session::select`] and the others take.
    pub raw_name: String,
    /// What it is for.
    pub role: Option<Role>,
    /// Whether it can hold messages.
    pub selectable: bool,
    /// What separates the parts of its name.
    pub delimiter: Option<char>,
}

impl Session {
    /// All folders of the account. The inbox always has its role.
    ///
    /// # Errors
    /// If the server does not tell.
    pub async fn folders(&mut self) -> Result<Vec<Folder>, ImapError> {
        let listed = self.list().await?;
        let mut folders: Vec<(Folder, Vec<String>)> = Vec::new();
        for listed in listed {
            // A name that is not even UTF-8 cannot be said back to the server.
            let Ok(raw_name) = String::from_utf8(listed.name) else { continue };
            if raw_name.is_empty() || folders.iter().any(|(folder, _)| folder.raw_name == raw_name) {
                continue;
            }
            let has = |name: &str| listed.attributes.iter().any(|it| it.eq_ignore_ascii_case(name));
            let folder = Folder {
                name: names::decode_folder(&raw_name),
                role: None,
                selectable: !has("\\Noselect") && !has("\\NonExistent"),
                delimiter: listed.delimiter,
                raw_name,
            };
            folders.push((folder, listed.attributes));
        }
        Ok(give_roles(folders))
    }

    async fn list(&mut self) -> Result<Vec<Listed>, ImapError> {
        let plain = "LIST \"\" \"*\"";
        let extended = self.offers("LIST-EXTENDED") && self.offers("SPECIAL-USE");
        let done = if extended {
            match self.run(Command::new("LIST \"\" \"*\" RETURN (SPECIAL-USE)")).await {
                Err(ImapError::No { .. }) => self.run(Command::new(plain)).await?,
                other => other?,
            }
        } else {
            self.run(Command::new(plain)).await?
        };
        let listed = done.untagged.into_iter().filter_map(|response| match response {
            Response::List(listed) => Some(listed),
            _ => None,
        });
        Ok(listed.take(MOST_FOLDERS).collect())
    }

    /// What the names of the owner's own folders have to begin with: `INBOX.` on some servers, mostly nothing.
    async fn prefix(&mut self) -> Result<String, ImapError> {
        if self.offers("NAMESPACE") {
            match self.run(Command::new("NAMESPACE")).await {
                Ok(done) => {
                    let told = done.untagged.into_iter().find_map(|response| match response {
                        Response::Namespace(prefix) => String::from_utf8(prefix).ok(),
                        _ => None,
                    });
                    if let Some(prefix) = told {
                        return Ok(prefix);
                    }
                }
                Err(ImapError::No { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(common_prefix(&self.list().await?))
    }

    /// Makes a folder of this name (for people) where the owner's folders are, and gives its name for the server. That it
    /// is there already is fine.
    ///
    /// # Errors
    /// If the server does not want it.
    pub async fn create_folder(&mut self, name: &str) -> Result<String, ImapError> {
        let raw_name = self.create(name).await?;
        self.tell("SUBSCRIBE ", &raw_name).await?;
        Ok(raw_name)
    }

    /// The same for a folder that other programs need not show: some servers subscribe to whatever is made.
    ///
    /// # Errors
    /// If the server does not want it.
    pub async fn create_hidden_folder(&mut self, name: &str) -> Result<String, ImapError> {
        let raw_name = self.create(name).await?;
        self.tell("UNSUBSCRIBE ", &raw_name).await?;
        Ok(raw_name)
    }

    /// Removes a folder by its raw name, with all that lies in it. That it is gone already is fine.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn delete_folder(&mut self, raw_name: &str) -> Result<(), ImapError> {
        self.tell("DELETE ", raw_name).await
    }

    async fn create(&mut self, name: &str) -> Result<String, ImapError> {
        let raw_name = format!("{}{}", self.prefix().await?, names::encode_folder(name));
        match self.run(Command::new("CREATE ").text(&raw_name)?).await {
            Err(ImapError::No { code: Some(code), .. }) if code == "ALREADYEXISTS" => {}
            other => {
                other?;
            }
        }
        Ok(raw_name)
    }

    /// Says something about a folder; a no is borne.
    async fn tell(&mut self, verb: &str, raw_name: &str) -> Result<(), ImapError> {
        match self.run(Command::new(verb).text(raw_name)?).await {
            Err(error) if !error.leaves_session_usable() => Err(error),
            _ => Ok(()),
        }
    }
}

/// Where the server does not tell: where all folders but the inbox lie below it, new ones have to lie there, too.
fn common_prefix(listed: &[Listed]) -> String {
    let Some(delimiter) = listed.iter().find_map(|it| it.delimiter) else { return String::new() };
    let prefix = format!("INBOX{delimiter}");
    let is_inbox = |name: &[u8]| name.eq_ignore_ascii_case(b"INBOX");
    let below = |name: &[u8]| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    let mut others = listed.iter().filter(|it| !is_inbox(&it.name)).peekable();
    if others.peek().is_some() && others.all(|it| below(&it.name)) { prefix } else { String::new() }
}

/// The server's own word first, then well-known names, and one folder for each role.
fn give_roles(mut folders: Vec<(Folder, Vec<String>)>) -> Vec<Folder> {
    let mut taken: Vec<Role> = Vec::new();
    let mut take = |folder: &mut Folder, role: Role| {
        if folder.selectable && folder.role.is_none() && !taken.contains(&role) {
            taken.push(role);
            folder.role = Some(role);
        }
    };
    for (folder, _) in &mut folders {
        if folder.raw_name.eq_ignore_ascii_case("INBOX") {
            take(folder, Role::Inbox);
        }
    }
    for (folder, attributes) in &mut folders {
        for attribute in attributes.iter() {
            if let Some(role) = role_of_attribute(attribute) {
                take(folder, role);
            }
        }
    }
    for (role, known) in KNOWN_NAMES {
        for known in *known {
            for (folder, _) in &mut folders {
                if is_called(folder, known) {
                    take(folder, *role);
                }
            }
        }
    }
    folders.into_iter().map(|(folder, _)| folder).collect()
}

fn role_of_attribute(attribute: &str) -> Option<Role> {
    match attribute.to_ascii_lowercase().as_str() {
        "\\archive" => Some(Role::Archive),
        "\\drafts" => Some(Role::Drafts),
        "\\sent" => Some(Role::Sent),
        "\\junk" | "\\spam" => Some(Role::Junk),
        "\\trash" => Some(Role::Trash),
        "\\all" | "\\allmail" => Some(Role::All),
        _ => None,
    }
}

/// At the top, below the inbox, or in Gmail's corner; `Projects/Sent` is the owner's own.
fn is_called(folder: &Folder, known: &str) -> bool {
    let name = folder.name.to_lowercase();
    let parts: Vec<&str> = folder.delimiter.map_or_else(|| vec![name.as_str()], |d| name.split(d).collect());
    match parts.as_slice() {
        [only] => *only == known,
        ["inbox" | "[gmail]" | "[google mail]", rest] => *rest == known,
        _ => false,
    }
}

/// The best name first.
const KNOWN_NAMES: &[(Role, &[&str])] = &[
    (
        Role::Sent,
        &[
            "sent",
            "sent items",
            "sent messages",
            "sent mail",
            "gesendet",
            "gesendete elemente",
            "gesendete objekte",
            "envoyés",
            "éléments envoyés",
            "messages envoyés",
            "enviados",
            "elementos enviados",
            "inviati",
            "posta inviata",
            "verzonden",
            "verzonden items",
            "отправленные",
            "已发送",
            "送信済み",
        ],
    ),
    (
        Role::Drafts,
        &[
            "drafts",
            "draft",
            "entwürfe",
            "entwurf",
            "brouillons",
            "borradores",
            "rascunhos",
            "bozze",
            "concepten",
            "черновики",
            "草稿箱",
            "草稿",
            "下書き",
        ],
    ),
    (
        Role::Junk,
        &[
            "junk",
            "spam",
            "junk e-mail",
            "junk email",
            "junk mail",
            "bulk mail",
            "bulk",
            "unerwünscht",
            "junk-e-mail",
            "spamverdacht",
            "indésirables",
            "courrier indésirable",
            "correo no deseado",
            "posta indesiderata",
            "ongewenste e-mail",
            "спам",
            "垃圾邮件",
            "迷惑メール",
        ],
    ),
    (
        Role::Trash,
        &[
            "trash",
            "deleted items",
            "deleted messages",
            "deleted",
            "bin",
            "papierkorb",
            "gelöscht",
            "gelöschte elemente",
            "gelöschte objekte",
            "corbeille",
            "éléments supprimés",
            "papelera",
            "elementos eliminados",
            "lixeira",
            "cestino",
            "prullenbak",
            "verwijderde items",
            "корзина",
            "удаленные",
            "已删除",
            "ゴミ箱",
        ],
    ),
    (
        Role::Archive,
        &[
            "archive",
            "archives",
            "archiv",
            "archivos",
            "archivo",
            "archivio",
            "archief",
            "архив",
            "归档",
            "アーカイブ",
        ],
    ),
    (Role::All, &["all mail", "alle nachrichten", "tous les messages"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(listed: &[(&str, &[&str])]) -> Vec<Option<Role>> {
        let folders = listed.iter().map(|(name, attributes)| {
            let folder = Folder {
                name: (*name).into(),
                raw_name: (*name).into(),
                role: None,
                selectable: !attributes.contains(&"\\Noselect"),
                delimiter: Some('/'),
            };
            (folder, attributes.iter().map(ToString::to_string).collect())
        });
        give_roles(folders.collect()).into_iter().map(|folder| folder.role).collect()
    }

    #[test]
    fn the_servers_word_comes_before_the_name() {
        assert_eq!(
            roles(&[("Sent", &[]), ("Gesendet", &["\\Sent"]), ("Inbox", &[]), ("Trash", &["\\Noselect"])]),
            [None, Some(Role::Sent), Some(Role::Inbox), None]
        );
    }

    #[test]
    fn new_folders_go_where_the_others_are() {
        let prefix = |names: &[&str]| {
            let listed = names.iter().map(|name| Listed {
                attributes: Vec::new(),
                delimiter: Some('.'),
                name: name.as_bytes().to_vec(),
            });
            common_prefix(&listed.collect::<Vec<_>>())
        };
        assert_eq!(prefix(&["INBOX", "INBOX.Drafts", "Inbox.Work"]), "INBOX.");
        assert_eq!(prefix(&["INBOX", "INBOX.Drafts", "Work"]), "");
        assert_eq!(prefix(&["INBOX"]), "");
        assert_eq!(prefix(&[]), "");
    }

    #[test]
    fn names_are_known_where_they_belong() {
        assert_eq!(
            roles(&[
                ("INBOX", &[]),
                ("Sent Items", &[]),
                ("Sent", &[]),
                ("INBOX/Papierkorb", &[]),
                ("[Gmail]/All Mail", &[]),
                ("Projects/Archive", &[]),
                ("SPAM", &[]),
            ]),
            [
                Some(Role::Inbox),
                None,
                Some(Role::Sent),
                Some(Role::Trash),
                Some(Role::All),
                None,
                Some(Role::Junk)
            ]
        );
    }
}
