//! Signs messages with DKIM, well or badly, as a story wants it. The keys were made for these tests.

use data_encoding::BASE64;
use mail_auth::AuthenticatedMessage;
use mail_auth::common::crypto::{DkimKey, Ed25519Key, HashAlgorithm, RsaKey, Sha256, SigningKey};
use mail_auth::dkim::Canonicalization;
use rustls::pki_types::PrivateKeyDer;

const RSA_1024: &str = "MIICXQIBAAKBgQDJaOtX6lQxCfs071BdJmIYwklODFe8hOEMgKbxjEagHzOnHI2G2AhuliFK4U9r2/WZf3KF9tA1F0omdartDL+PzsAxDq0TpNe7PIBf7pApXSP5f/XfDTd7/x61KVugevbxagJXsjw7dYYT5q+gPVOUMKXgCvy82JjkFqjdcDs1ewIDAQABAoGBAJYYoop6DxQcpCDm17UTjbd10rtfZ2MOg8iVd9Q6/ccGea/oD3CWPnJrX5Q2JMH0wisKV4aOUMu/93qB5keSYI6uqUAPQg5rRJHtm3CV+QGX70vbgVvPYssYReggQpZlNpPQtmrWGVyYH4I/NnwpZfCeEzpaXNqdsMnIiwqeWm9BAkEA/g1y2wDtZ9Q31qlGL2UICQMO4/CUSTPuADVaPL2hZlj9eudMFb58XDV3adhat2vVmFukebT+kXxkIGsNPbLfvQJBAMr0KjfaynYcT25+ALSX0ogpnlxhlv7lGTJbnr1CwfGI+yZx/tcMo7V+Q4NLcyWIVjP3ab+JTNYK5AxwyXsXgZcCQHGuduzE93b0oZ/u0zc2EGhn8+vPpas0D5YMSbrQaD6yJ4stoQBB4sgoLK0yYTWejU/GAk1rzlYvwWY4QQ6Q0kkCQF3IbinZRG1Hr7zTJOhOr86TzMXLosaufvIyPCwgyRYfwk6Fpskg4hVf/zqQhuj1E0B4N7l2bLcL2U2WYMQsnIkCQQCoY8cyiw3+ZTv+YDkgE37Yh3X917Rb4kMMkt9Sl3jGnEUaeGiGiDWVvL1nXtXQa3OM//PN4ozIrbUTys53pCeD";
const RSA_512: &str = "MIIBOwIBAAJBANTCOvI4V7cJEZpc0E4tTURJKbmNPIOF+IyQsG5sG6clhqgAOGaS4mDb18BFEl08h83Qi+amyLd0VD95FvcNykECAwEAAQJAYtbw54JBTakK4nln1Em7cZPDrI3upPNiKns1W7chiZ5Ofn96P48F1l6xUhoE8FBPoK1eY82vf1A5YZJZ2fvMGQIhAOoA67svQ+FW8a5s/IVN7QCq0JUELD6U3UuPcxg7dmfTAiEA6MISLdDeHnB5nDF4fI9TS5jxiyW2BqdxpQimQz20bRsCIBIrqiJp5Cp+VtwFiIJNb8bqfLHllg3x/1EbvYM3MtWTAiEAxjR9RoaWn1UoOdnmwCtMwxN6nQN//iqYm/DBpIDnJAECIQCd6Ys9YEPi/VmM0H7Uss68EY0WPA+A+ZeLfVAKAa5A1Q==";

/// A key, and the record under which it is published.
pub struct Signer {
    key: DkimKey,
    pub record: String,
}

impl Signer {
    fn rsa(base64: &str) -> Self {
        let der = BASE64.decode(base64.as_bytes()).unwrap();
        let key = RsaKey::<Sha256>::from_key_der(PrivateKeyDer::Pkcs1(der.into())).unwrap();
        let record = format!("v=DKIM1; k=rsa; p={}", BASE64.encode(&key.public_key()));
        Self { key: key.into(), record }
    }

    pub fn usual() -> Self {
        Self::rsa(RSA_1024)
    }

    pub fn short() -> Self {
        Self::rsa(RSA_512)
    }

    pub fn ed25519() -> Self {
        let key = Ed25519Key::from_pkcs8_der(&Ed25519Key::generate_pkcs8().unwrap()).unwrap();
        let record = format!("v=DKIM1; k=ed25519; p={}", BASE64.encode(&key.public_key()));
        Self { key: key.into(), record }
    }

    /// Puts a signature above a message. `tags` are all but `bh=` and `b=`; with `l=0` it is over no body at all.
    pub fn sign(&self, tags: &str, raw: &[u8]) -> Vec<u8> {
        let message = AuthenticatedMessage::parse(raw).unwrap();
        let tag = |name: &str| {
            let found = tags.split(';').find_map(|tag| tag.trim().strip_prefix(name));
            found.map(|value| value.trim_start_matches('=').to_owned())
        };
        let form = |word: &str| {
            if word == "simple" { Canonicalization::Simple } else { Canonicalization::Relaxed }
        };
        let forms = tag("c=").unwrap_or_else(|| "simple/simple".into());
        let (header, body) = forms.split_once('/').unwrap();
        let (header, body) = (form(header), form(body));
        let content = if tag("l=").as_deref() == Some("0") { b"" } else { message.raw_body() };
        let hash = HashAlgorithm::Sha256.hash(body.canonical_body(content, 0));
        let value = format!(" {tags}; bh={}; b=", BASE64.encode(hash.as_ref()));
        let covered: Vec<String> = tag("h=").unwrap().split(':').map(str::to_owned).collect();
        let mut data = Vec::new();
        let headers = message.signed_headers(&covered, b"DKIM-Signature", value.as_bytes());
        header.canonicalize_headers(headers, &mut data);
        let signature = BASE64.encode(&self.key.sign(data.as_slice()).unwrap());
        [format!("DKIM-Signature:{value}{signature}\r\n").as_bytes(), raw].concat()
    }
}
