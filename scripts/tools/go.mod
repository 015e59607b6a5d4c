module github.com/candor-ota/candor/scripts/tools

go 1.26
