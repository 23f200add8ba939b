// Holds an OLM bundle against the published validators of operator-framework. Prints what they say of the bundle in the
// directory that is its argument, and fails if an error is among it.
package main

import (
	"fmt"
	"os"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/validation"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: olm-validator DIRECTORY")
		os.Exit(2)
	}
	bundle, err := manifests.GetBundleFromDir(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	validators := validation.DefaultBundleValidators.WithValidators(
		validation.OperatorHubV2Validator,
		validation.StandardCapabilitiesValidator,
		validation.StandardCategoriesValidator,
		validation.ObjectValidator,
		validation.GoodPracticesValidator,
	)
	failed := false
	for _, result := range validators.Validate(bundle.ObjectsToValidate()...) {
		for _, said := range result.Warnings {
			fmt.Println(said.Error())
		}
		for _, said := range result.Errors {
			fmt.Println(said.Error())
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
