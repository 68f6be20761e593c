package main

import "errors"

func renderArguments(string, []string, map[string]map[string]uint32) ([]byte, error) {
	return nil, errors.New("arguments.txt is empty")
}
