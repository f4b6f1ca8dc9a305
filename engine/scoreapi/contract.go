package scoreapi

import _ "embed"

// contract is the OpenAPI 3.1 document of the score API.
//
//go:embed openapi.json
var contract []byte
