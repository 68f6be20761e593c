module github.com/selfaudit/selfaudit

go 1.26
