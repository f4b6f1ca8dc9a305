package jose

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"
)

// Keys and tokens of the RFCs.
const (
	rfc7515Key = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	rfc7515A3  = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	rfc7515A1  = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	rfc7515A2  = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
	rfc7515A4  = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
	rfc7515A5  = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."

	rfc7638N   = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
	rfc8037Key = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`

	rfc7517A1 = `{"keys":[
		{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},
		{"kty":"RSA","n":"` + rfc7638N + `","e":"AQAB","alg":"RS256","kid":"2011-04-29"}]}`
	rfc7517A2 = `{"keys":[
		{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE","use":"enc","kid":"1"}]}`
	rfc7517A3 = `{"keys":[{"kty":"oct","alg":"A128KW","k":"GawgguFyGrWKav7AX4VKUg"}]}`

	// RFC 9449, section 7.1: a proof and its access token.
	rfc9449Header   = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
	rfc9449Resource = rfc9449Header + ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	rfc9449Token    = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"

	// RFC 8705, appendix A.
	rfc8705Certificate = `-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----`
)

func TestRFC7515(t *testing.T) {
	keys := mustKeySet(t, `{"keys":[`+rfc7515Key+`]}`)
	token, err := Parse(rfc7515A3, "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := token.Verify(keys)
	if err != nil {
		t.Fatal(err)
	}
	if c.Issuer != "joe" || !c.Expiry.Equal(time.Unix(1300819380, 0)) {
		t.Errorf("claims are %+v", c)
	}
	var more struct {
		Root bool `json:"http://example.com/is_root"`
	}
	if err := c.Decode(&more); err != nil || !more.Root {
		t.Errorf("further claims are %+v, %v", more, err)
	}
	for name, compact := range map[string]string{
		"A.1, HS256": rfc7515A1, "A.2, RS256": rfc7515A2, "A.4, ES512": rfc7515A4, "A.5, none": rfc7515A5,
	} {
		if _, err := Parse(compact, "", "JWT"); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want %v", name, err, ErrMalformed)
		}
	}
}

func TestRFC7517(t *testing.T) {
	for name, c := range map[string]struct {
		jwks string
		want error
	}{
		"A.1, one to encrypt and one for RS256": {rfc7517A1, ErrKey},
		"A.2, private":                          {rfc7517A2, ErrMalformed},
		"A.3, symmetric":                        {rfc7517A3, ErrMalformed},
	} {
		if _, err := ParseKeySet([]byte(c.jwks)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	forUs := strings.ReplaceAll(strings.ReplaceAll(rfc7517A1, `"use":"enc",`, ""), `"alg":"RS256",`, "")
	if keys := mustKeySet(t, forUs).Keys(); len(keys) != 2 || keys[0].Algorithm != ES256 || keys[1].Algorithm != PS256 || keys[1].ID != "2011-04-29" {
		t.Errorf("the same without use and alg: %+v", keys)
	}
}

func TestThumbprints(t *testing.T) {
	for jwk, want := range map[string]string{
		// RFC 7638, section 3.1, as it stands there but for its alg, which is not ours
		`{"kty":"RSA","n":"` + rfc7638N + `","e":"AQAB","kid":"2011-04-29"}`: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
		rfc8037Key: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", // RFC 8037, appendix A.3
	} {
		k, err := ParseKey([]byte(jwk))
		if err != nil || k.Thumbprint() != want {
			t.Errorf("%.40s: %q, %v, want %q", jwk, k.Thumbprint(), err, want)
		}
	}
	block, _ := pem.Decode([]byte(rfc8705Certificate))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := CertificateThumbprint(cert), "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"; got != want {
		t.Errorf("RFC 8705, appendix A: %q, want %q", got, want)
	}
}

func TestRFC9449(t *testing.T) {
	c, k, err := ParseProof(rfc9449Resource)
	if err != nil {
		t.Fatal(err)
	}
	var proof struct {
		Method string `json:"htm"`
		URI    string `json:"htu"`
		Hash   string `json:"ath"`
	}
	if err := c.Decode(&proof); err != nil {
		t.Fatal(err)
	}
	if c.ID != "e1j3V_bKic8-LAEB" || c.IssuedAt.Unix() != 1562262618 || proof.Method != "GET" || proof.URI != "https://resource.example.org/protectedresource" {
		t.Errorf("claims are %+v %+v", c, proof)
	}
	if want := "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"; k.Thumbprint() != want { // section 6.1
		t.Errorf("jkt is %q, want %q", k.Thumbprint(), want)
	}
	if proof.Hash != Digest(rfc9449Token) {
		t.Errorf("ath is %q, want %q", Digest(rfc9449Token), proof.Hash)
	}
	if _, err := Parse(rfc9449Resource, "dpop+jwt"); !errors.Is(err, ErrMalformed) {
		t.Errorf("a proof where its key is not asked for: %v, want %v", err, ErrMalformed)
	}
}

func TestDigest(t *testing.T) {
	// RFC 7636, appendix B
	if got, want := Digest("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !Equal("same", "same") || Equal("same", "Same") || Equal("same", "same ") || !Equal("", "") {
		t.Error("Equal is wrong")
	}
}

func mustKeySet(t testing.TB, jwks string) KeySet {
	t.Helper()
	s, err := ParseKeySet([]byte(jwks))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
