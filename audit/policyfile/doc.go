// Package policyfile reads policies from YAML or JSON and writes them as YAML.
//
// The whole vocabulary stands in one table (schema.go): every key is known, with
// its type and what it means, whether or not this version has a check for it. A
// file is never read as asking for less than it says: what is misspelt, of the
// wrong type, there twice, or has no check yet is an error that names file, line
// and column. docs/policy.md lists the keys.
package policyfile
